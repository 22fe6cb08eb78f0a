# Writes the file FROM as C into the file TO: its bytes and an ETag made of its content.
file(READ ${FROM} hex HEX)
file(SHA256 ${FROM} digest)
string(SUBSTRING ${digest} 0 16 digest)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${TO} "static const unsigned char openapi[] = {${bytes}};\nstatic const char openapi_etag[] = \"\\\"${digest}\\\"\";\n")
