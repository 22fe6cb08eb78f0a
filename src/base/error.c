/* inf_strerror(): the messages of the one error table in infinium.h. */
#include "infinium.h"

const char *inf_strerror(int error)
{
    switch (error) {
    case INF_OK:
        return "no error";
#define X(name, value, text)                                                                                           \
    case name:                                                                                                         \
        return text;
        INF_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}
