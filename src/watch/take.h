/* Taking text out of foreign JSON into bounded places. */
#ifndef INF_WATCH_TAKE_H
#define INF_WATCH_TAKE_H

#include "watch/call.h"

/* A name: cut to what `to` holds, always NUL-terminated; an empty one changes nothing. */
void inf_take_name(char to[INF_CALL_NAME], const char *text, size_t length);

/* The text member `key`, if there is one. */
void inf_take_member(char to[INF_CALL_NAME], inf_json_value object, const char *key);

/* Appends what still fits, whole characters. */
void inf_take_text(inf_buf *out, const char *text, size_t length);

/* A count of tokens, if there is one; negative ones are nonsense. True when it was there. */
bool inf_take_count(int64_t *to, inf_json_value object, const char *key);

#endif
