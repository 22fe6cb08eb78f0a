/* The members of a small JSON body, read by a table: what has another type, or is out of its range, is refused with a
 * 400 that names it, and so is a member that is not in the table. An absent member leaves its value alone, null is
 * refused. */
#ifndef INF_API_MEMBERS_H
#define INF_API_MEMBERS_H

#include "http/request.h"

enum inf_member_kind {
    INF_MEMBER_TEXT,   /* char[most + 1]: no NUL in it */
    INF_MEMBER_NUMBER, /* unsigned, a whole number from `least` to `most` */
    INF_MEMBER_ID,     /* inf_member_id: a UUID or 32 hexadecimal digits */
};

typedef struct inf_member_id {
    bool given;
    uint8_t id[16];
} inf_member_id;

typedef struct inf_member {
    const char *name;
    enum inf_member_kind kind;
    void *value; /* as the kind says */
    unsigned least;
    unsigned most;
} inf_member;

/* Reads the request's body, which may be empty. False when it refused the request. On a worker's thread. */
bool inf_members_read(inf_request *request, const inf_member *members, size_t count);
#define INF_MEMBERS_READ(request, members) inf_members_read(request, members, sizeof(members) / sizeof((members)[0]))

#endif
