/* See members.h. */
#include <string.h>

#include "api/members.h"
#include "base/id.h"
#include "base/json_read.h"

static bool read_one(inf_request *r, const inf_member *m, inf_json_value value)
{
    const char *text = NULL;
    size_t length = 0;
    int64_t number = -1;
    inf_member_id *id = m->value;
    switch (m->kind) {
    case INF_MEMBER_TEXT:
        if (inf_json_as_string(value, &text, &length) && length <= m->most && !memchr(text, 0, length)) {
            memcpy(m->value, text, length);
            ((char *)m->value)[length] = 0;
            return true;
        }
        inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "%s is not a string of at most %u bytes", m->name, m->most);
        return false;
    case INF_MEMBER_NUMBER:
        if (inf_json_as_i64(value, &number) && number >= m->least && number <= m->most) {
            *(unsigned *)m->value = (unsigned)number;
            return true;
        }
        inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "%s is not a whole number from %u to %u", m->name, m->least,
                            m->most);
        return false;
    case INF_MEMBER_ID:
        if (inf_json_as_string(value, &text, &length) && inf_id_parse(text, length, id->id) == 0) {
            id->given = true;
            return true;
        }
        inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "%s is not a UUID", m->name);
    }
    return false;
}

static const inf_member *find(const inf_member *members, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(members[i].name) == length && memcmp(members[i].name, name, length) == 0)
            return &members[i];
    return NULL;
}

static bool read_all(inf_request *r, inf_json *parser, const inf_member *members, size_t count)
{
    inf_json_value root;
    int rc = inf_json_parse(parser, r->body.data, r->body.length, 0, &root);
    if (rc < 0) {
        inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "the body is not JSON: %s", inf_json_error(parser));
        return false;
    }
    if (inf_json_type(root) != INF_JSON_OBJECT) {
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, "the body is not a JSON object");
        return false;
    }
    inf_json_iterator i = inf_json_iterate(root);
    while (inf_json_next(&i)) {
        const inf_member *m = find(members, count, i.key, i.key_length);
        if (!m) {
            inf_request_refusef(r, MHD_HTTP_BAD_REQUEST, "there is no member %.*s here",
                                (int)(i.key_length < 100 ? i.key_length : 100), i.key);
            return false;
        }
        /* Null too is no value: a key for agent_id null must not become one for all agents. */
        if (!read_one(r, m, i.value))
            return false;
    }
    return true;
}

bool inf_members_read(inf_request *r, const inf_member *members, size_t count)
{
    if (r->body.length == 0)
        return true;
    inf_body_reader *reader = inf_http_reader(r->receiver);
    if (!reader) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return false;
    }
    bool fine = read_all(r, reader->body, members, count);
    inf_http_reader_done(r->receiver, reader);
    return fine;
}
