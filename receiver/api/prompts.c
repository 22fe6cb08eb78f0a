/* Prompts: for people who manage them, and the published call that a program makes with the prompt's key
 * (docs/prompts.md). A reader of one agent sees none: they are nobody's in particular. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/members.h"
#include "api/query.h"
#include "auth/prompts.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_read.h"
#include "infinium.h"

/* ---- what all of them share ---- */

static bool may_see(inf_request *r)
{
    if (!r->access.scoped)
        return true;
    inf_request_refuse(r, MHD_HTTP_FORBIDDEN, "this key reads one agent's traces");
    return false;
}

static bool prompt_of_path(inf_request *r, uint8_t id[16])
{
    const char *text = r->segments[0];
    if (strlen(text) == 36 && inf_id_parse(text, 36, id) == 0)
        return true;
    inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "that is no prompt's id");
    return false;
}

static void failed(inf_request *r, inf_worker *worker, int rc)
{
    if (rc == INF_ENOTFOUND)
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "there is no such prompt");
    else if (rc == INF_EFULL)
        inf_request_refuse(r, MHD_HTTP_CONFLICT, "there are too many of them");
    else
        inf_api_store_failed(r, worker, rc);
}

static void write_head(inf_json_writer *w, const inf_prompt *prompt)
{
    char id[37];
    inf_id_uuid(prompt->id, id);
    inf_json_key(w, "prompt_id");
    inf_json_put_text(w, id);
    inf_json_key(w, "name");
    inf_json_put_text(w, prompt->name);
    inf_json_key(w, "version");
    inf_json_put_i64(w, prompt->version);
    inf_api_put_time(w, "created_at", prompt->created_ns);
    inf_api_put_time(w, "changed_at", prompt->changed_ns);
}

/* ---- reading ---- */

static int list_row(void *context, const inf_prompt *prompt)
{
    inf_json_writer *w = context;
    inf_json_begin_object(w);
    write_head(w, prompt);
    inf_json_end_object(w);
    return w->out->error;
}

void inf_api_prompts(inf_request *r, inf_worker *worker)
{
    if (!may_see(r) || !inf_query_read(r, NULL, 0))
        return;
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "prompts");
    inf_json_begin_array(&w);
    int rc = inf_store_prompts(worker->store, list_row, &w);
    inf_json_end_array(&w);
    inf_json_end_object(&w);
    if (rc < 0)
        failed(r, worker, rc);
}

struct page {
    inf_json_writer w;
    int64_t limit;
    int64_t rows;
    int last;
    bool more;
};

static int version_row(void *context, const inf_prompt_version *version)
{
    struct page *p = context;
    if (p->rows++ == p->limit) {
        p->more = true;
        return 0;
    }
    inf_json_begin_object(&p->w);
    inf_json_key(&p->w, "version");
    inf_json_put_i64(&p->w, version->version);
    inf_api_put_time(&p->w, "created_at", version->created_ns);
    inf_json_key(&p->w, "content");
    inf_json_put_text(&p->w, version->content);
    inf_json_end_object(&p->w);
    p->last = version->version;
    return p->w.out->error;
}

/* The newest versions first; `before` pages, as next_before says. */
void inf_api_prompt(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_prompt prompt;
    char name[INF_PROMPT_NAME_SIZE];
    int64_t before = 0;
    struct page p = {.w = inf_json_writer_on(&r->answer), .limit = 20};
    const inf_query_parameter parameters[] = {
        {"limit", INF_QUERY_INT, &p.limit, 1, 50, NULL},
        {"before", INF_QUERY_INT, &before, 1, INF_PROMPT_VERSIONS_MAX + 1, NULL},
    };
    if (!may_see(r) || !prompt_of_path(r, id) || !INF_QUERY_READ(r, parameters))
        return;
    int rc = inf_store_prompt_get(worker->store, id, &prompt, name);
    if (rc < 0) {
        failed(r, worker, rc);
        return;
    }
    inf_json_begin_object(&p.w);
    write_head(&p.w, &prompt);
    inf_json_key(&p.w, "versions");
    inf_json_begin_array(&p.w);
    rc = inf_store_prompt_versions(worker->store, id, (int)before, (int)p.limit + 1, version_row, &p);
    inf_json_end_array(&p.w);
    inf_json_key(&p.w, "next_before");
    if (p.more)
        inf_json_put_i64(&p.w, p.last);
    else
        inf_json_put_null(&p.w);
    inf_json_end_object(&p.w);
    if (rc < 0)
        failed(r, worker, rc);
}

/* ---- the published call ---- */

struct published {
    inf_json_writer w;
    const char *id;
    const char *name;
};

static int published_row(void *context, const inf_prompt_version *version)
{
    struct published *p = context;
    char created[INF_RFC3339_SIZE];
    inf_rfc3339(version->created_ns, 6, created);
    const char *const members[][2] = {
        {"promptId", p->id}, {"name", p->name}, {"content", version->content}, {"createdAt", created}};
    inf_json_begin_object(&p->w);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        inf_json_key(&p->w, members[i][0]);
        inf_json_put_text(&p->w, members[i][1]);
    }
    inf_json_key(&p->w, "version");
    inf_json_put_i64(&p->w, version->version);
    inf_json_end_object(&p->w);
    return p->w.out->error;
}

/* The prompt's key, or a reader who sees everything. A wrong key and a prompt that there is not get one answer. */
static bool may_fetch(inf_request *r, inf_worker *worker, const uint8_t id[16])
{
    const char *stated = inf_request_header(r, "x-prompt-id");
    const char *key = inf_request_header(r, "x-prompt-key");
    uint8_t other[16];
    if (!stated && !key) {
        if (inf_access_reader(r, worker))
            return may_see(r);
        inf_request_refuse(r, MHD_HTTP_UNAUTHORIZED, "the headers x-prompt-id and x-prompt-key are needed");
        return false;
    }
    bool same = stated && strlen(stated) == 36 && inf_id_parse(stated, 36, other) == 0 && memcmp(other, id, 16) == 0;
    int rc = same && key ? inf_prompt_verify(worker->store, id, key) : 0;
    if (rc < 0)
        failed(r, worker, rc);
    else if (rc == 0)
        inf_request_refuse(r, MHD_HTTP_UNAUTHORIZED, "the prompt's id and key do not fit together");
    return rc == 1;
}

/* "latest" is 0; -1: no version. */
static int version_of(const char *text)
{
    char *end;
    if (strcmp(text, "latest") == 0)
        return 0;
    long value = strtol(text, &end, 10);
    return strspn(text, "0123456789") == strlen(text) && value >= 1 && value <= INF_PROMPT_VERSIONS_MAX ? (int)value
                                                                                                        : -1;
}

void inf_api_prompt_version(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_prompt prompt;
    char name[INF_PROMPT_NAME_SIZE];
    int version = version_of(r->segments[1]);
    if (!prompt_of_path(r, id) || !may_fetch(r, worker, id))
        return;
    int rc = inf_store_prompt_get(worker->store, id, &prompt, name);
    if (rc < 0) {
        failed(r, worker, rc);
        return;
    }
    struct published p = {inf_json_writer_on(&r->answer), r->segments[0], name};
    rc = version < 0 ? INF_ENOTFOUND : inf_store_prompt_version(worker->store, id, version, published_row, &p);
    if (rc == INF_ENOTFOUND)
        inf_request_refuse(r, MHD_HTTP_NOT_FOUND, "the prompt has no such version");
    else if (rc < 0)
        failed(r, worker, rc);
}

/* ---- changing ---- */

/* The body's members: `content` in memory of its own (free it with free()) and, where `name` is not NULL, the name.
 * NULL when it refused the request. */
static char *content_of(inf_request *r, char name[INF_PROMPT_NAME_SIZE])
{
    char *content = malloc(INF_PROMPT_CONTENT_MAX + 1);
    if (!content) {
        inf_request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
        return NULL;
    }
    content[0] = 0;
    const inf_member members[] = {{"content", INF_MEMBER_TEXT, content, 0, INF_PROMPT_CONTENT_MAX},
                                  {"name", INF_MEMBER_TEXT, name, 0, INF_PROMPT_NAME_SIZE - 1}};
    const char *reason = NULL;
    if (inf_members_read(r, members, name ? 2 : 1) && !(reason = inf_prompt_reason(name, content, strlen(content))))
        return content;
    if (reason)
        inf_request_refuse(r, MHD_HTTP_BAD_REQUEST, reason);
    free(content);
    return NULL;
}

static void answer_changed(inf_request *r, const char *id, const char *key, int version)
{
    r->status = MHD_HTTP_CREATED;
    inf_json_writer w = inf_json_writer_on(&r->answer);
    inf_json_begin_object(&w);
    inf_json_key(&w, "prompt_id");
    inf_json_put_text(&w, id);
    if (version > 0) {
        inf_json_key(&w, "version");
        inf_json_put_i64(&w, version);
    }
    if (key) {
        inf_json_key(&w, "key");
        inf_json_put_text(&w, key);
    }
    inf_json_end_object(&w);
}

void inf_api_prompt_create(inf_request *r, inf_worker *worker)
{
    char name[INF_PROMPT_NAME_SIZE] = "", id[37], key[INF_PROMPT_KEY_SIZE];
    inf_actor actor;
    char *content = content_of(r, name);
    if (!content)
        return;
    inf_access_actor(r, &actor);
    int rc = inf_prompt_create(worker->store, &actor, name, content, id, key);
    free(content);
    if (rc < 0)
        failed(r, worker, rc);
    else
        answer_changed(r, id, key, 1);
}

void inf_api_prompt_publish(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    int version = 0;
    inf_actor actor;
    char *content = prompt_of_path(r, id) ? content_of(r, NULL) : NULL;
    if (!content)
        return;
    inf_access_actor(r, &actor);
    int rc = inf_prompt_publish(worker->store, &actor, id, content, &version);
    free(content);
    if (rc < 0)
        failed(r, worker, rc);
    else
        answer_changed(r, r->segments[0], NULL, version);
}

void inf_api_prompt_rotate(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    unsigned overlap = INF_OVERLAP_DEFAULT_S;
    char key[INF_PROMPT_KEY_SIZE];
    const inf_member members[] = {{"overlap_s", INF_MEMBER_NUMBER, &overlap, 0, INF_OVERLAP_MAX_S}};
    inf_actor actor;
    if (!prompt_of_path(r, id) || !INF_MEMBERS_READ(r, members))
        return;
    inf_access_actor(r, &actor);
    int rc = inf_prompt_rotate(worker->store, &actor, id, overlap, key);
    if (rc < 0)
        failed(r, worker, rc);
    else
        answer_changed(r, r->segments[0], key, 0);
}

/* Its keys read nothing from now on, like those of a prompt that never was. */
void inf_api_prompt_delete(inf_request *r, inf_worker *worker)
{
    uint8_t id[16];
    inf_actor actor;
    if (!prompt_of_path(r, id))
        return;
    inf_access_actor(r, &actor);
    int rc = inf_prompt_remove(worker->store, &actor, id);
    if (rc < 0)
        failed(r, worker, rc);
    else
        r->status = MHD_HTTP_NO_CONTENT;
}
