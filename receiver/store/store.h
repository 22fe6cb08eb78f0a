/* The store: where accepted traces rest and are read from. This header is the seam; what is behind it (SQLite today)
 * nobody else knows. It knows nothing of HTTP, journals or JSON: a trace arrives with its summary columns filled in and
 * its body as bytes.
 *
 * A handle is a connection: one thread at a time, as many handles (in as many processes) as wanted on one directory.
 * The receiver and the command line use the same directory at the same time. Text is NUL-terminated UTF-8. Functions
 * return 0 (or a count) or a negative INF_E... value; inf_store_message() explains the last failure of a handle. */
#ifndef INF_STORE_STORE_H
#define INF_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

typedef struct inf_store inf_store;

enum {
    INF_STORE_CREATE = 1,    /* make the directory (0700) and the database (0600) when missing; else INF_ENOTFOUND */
    INF_STORE_READ_ONLY = 2, /* refuse to write through this handle */
    INF_STORE_BULK = 4       /* for who writes most: up to 64 MB of the database in memory instead of 16 */
};

/* Opens the store in directory `dir`; brings an older schema up to date. INF_EBADMSG: made by a newer version. On
 * failure too *out may be a handle, good only for inf_store_message() and inf_store_close(). */
int inf_store_open(inf_store **out, const char *dir, unsigned flags);
void inf_store_close(inf_store *store);
/* Gives back what the handle keeps of the database in memory. For a handle that has nothing to do for a while. */
void inf_store_release(inf_store *store);
/* From any thread: from now on this handle waits for others' locks no longer than for a moment (200 ms); what waits
 * gives up with INF_ETIMEDOUT. For who is ending. */
void inf_store_hurry(inf_store *store);
/* Text about the last failure of this handle, never NULL, valid until the next call on it. */
const char *inf_store_message(const inf_store *store);

/* ---- traces ---- */

/* Everything about a trace but its body. Absent text is NULL. */
typedef struct inf_summary {
    uint8_t trace_id[16];
    uint8_t parent_id[16]; /* all zero: no parent */
    uint8_t agent_id[16];
    const char *agent_name; /* read only */
    const char *name;
    uint8_t status;       /* enum inf_status */
    uint64_t started_ns;  /* Unix time */
    uint64_t duration_ns; /* 0 while it is running and has not said */
    uint64_t received_ns; /* Unix time of acceptance */
    int64_t llm_calls;
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t cached_tokens;      /* of the prompt's, read from a cache */
    int64_t cache_write_tokens; /* of the prompt's, written to one */
    int64_t reasoning_tokens;   /* of the completion's */
    int64_t cost_nano_usd;      /* -1: not known */
    const char *model;
    const char *error_type;
    const char *error_message;  /* at most 500 characters */
    const char *input_preview;  /* at most 200 characters */
    const char *output_preview; /* likewise */
    const char *session_id;     /* at most 200 characters */
    const char *user_id;        /* likewise */
    const char *tags;           /* a JSON array of strings, at most INF_STORE_TAGS_MAX bytes; NULL: none */
    uint64_t sequence;          /* read only: grows with every trace stored or changed */
} inf_summary;

typedef struct inf_store_put {
    inf_summary summary;
    const void *body; /* the JSON object as it is to be kept */
    size_t body_length;
    bool duplicate;    /* out: an equal or better form was there already; nothing stored */
    uint64_t sequence; /* out: its sequence number when stored */
} inf_store_put;

#define INF_STORE_TAGS_MAX 4000
#define INF_STORE_BODY_MAX (16 * 1024 * 1024) /* bytes of one body */

/* Stores `count` traces in one durable transaction: all or none. One trace id is stored once. What may replace what:
 * running < interrupted < ok = error; an equal rank replaces only when both are running; another agent's never. */
int inf_store_put_traces(inf_store *store, inf_store_put *rows, size_t count);

typedef struct inf_store_filter {
    const uint8_t *agent_id; /* 16 bytes; NULL: any. Likewise below. */
    const char *name;        /* exact, as the texts below */
    int status;              /* enum inf_status; -1: any */
    uint64_t from_ns;        /* started at or after; 0: any */
    uint64_t to_ns;          /* started before; 0: any */
    const char *model;
    const char *tag;
    const char *session_id;
    const char *user_id;
    const uint8_t *parent_id;
    uint64_t min_duration_ns; /* 0: any, likewise */
    uint64_t max_duration_ns;
    const char *text;   /* words that must all be in the trace's name, input, output or errors; a word that ends in * is
                           the beginning of one; "words in quotes" must follow each other. Running traces are not
                           searched. */
    const char *cursor; /* from an earlier page; NULL: the newest */
    int limit;          /* rows of a page; 0: 50 */
    int most_rows;      /* rows that one call looks at; 0: 20,000, or what 40 ms suffice for */
} inf_store_filter;
#define INF_STORE_FILTER_INIT                                                                                          \
    {                                                                                                                  \
        .status = -1                                                                                                   \
    }
#define INF_STORE_CURSOR_SIZE 64

/* Called for each row; the summary and its text are valid during the call. Non-zero ends the walk and is returned. */
typedef int (*inf_store_row)(void *context, const inf_summary *summary);

/* Newest first: by started_ns, then id; with filter->text by arrival, newest first. Returns 0 and, in next_cursor (may
 * be NULL), the cursor of the next page or "" when this was the last. A page can be short, or empty, and have a next
 * one all the same: a call looks at a bounded number of rows, so that filters which seldom meet keep nobody waiting.
 * Who follows the cursors gets every match once. INF_EINVAL: the cursor is none of ours. */
int inf_store_list(inf_store *store, const inf_store_filter *filter, inf_store_row row, void *context,
                   char next_cursor[INF_STORE_CURSOR_SIZE]);
/* When the last trace started that was looked at before this cursor. */
uint64_t inf_store_cursor_ns(const char *cursor);
/* Number of traces that match (cursor and limit are ignored), or negative. */
int64_t inf_store_count(inf_store *store, const inf_store_filter *filter);

/* The traces that began inside `parent_id`, oldest first (started_ns, then id), at most `limit`. */
int inf_store_children(inf_store *store, const uint8_t parent_id[16], int limit, inf_store_row row, void *context);

/* One trace with its body (malloc'ed, NUL-terminated, owned by the caller). The summary's
 * text is valid until the next call on this handle. INF_ENOTFOUND. */
int inf_store_get(inf_store *store, const uint8_t trace_id[16], inf_summary *summary, char **body, size_t *body_length);

/* Traces whose id is at least `low` and at most `high`, in the order of their ids, at most `limit`: what the beginning
 * of an id may mean. */
int inf_store_find(inf_store *store, const uint8_t low[16], const uint8_t high[16], int limit, inf_store_row row,
                   void *context);

/* Rows stored or changed after `sequence`, oldest change first, at most `limit`. */
int inf_store_changes(inf_store *store, uint64_t sequence, int limit, inf_store_row row, void *context);
/* The newest sequence number; 0 when nothing was ever stored. */
int inf_store_sequence(inf_store *store, uint64_t *out);

/* ---- sums beside the traces: none of these reads a trace ---- */

typedef struct inf_session_row {
    const char *session_id;
    const char *user_id;  /* the newest one named, or NULL */
    uint8_t agent_id[16]; /* two agents' sessions of one name are two */
    int64_t traces;
    int64_t errors;
    uint64_t first_ns; /* when the first and the last trace started */
    uint64_t last_ns;
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t cost_nano_usd; /* of the traces whose cost is known; -1: of none, or nothing */
} inf_session_row;

/* Newest last trace first. Of the filter agent, session and user, from and to (of the last trace), cursor and limit
 * count; INF_EINVAL when more is set. */
int inf_store_sessions(inf_store *store, const inf_store_filter *filter,
                       int (*row)(void *context, const inf_session_row *session), void *context,
                       char next_cursor[INF_STORE_CURSOR_SIZE]);

enum inf_store_group { INF_GROUP_NONE, INF_GROUP_NAME, INF_GROUP_MODEL, INF_GROUP_AGENT };

/* Of traces that have ended. What retention has deleted is still in here. */
typedef struct inf_stats_row {
    uint64_t start_ns; /* of the interval */
    const char *key;   /* of the group: a name, a model (NULL: none), an agent's UUID; past 20,000
                          names and models together "(other)" */
    int64_t traces;
    int64_t errors;
    int64_t interrupted;
    int64_t llm_calls;
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t cached_tokens;
    int64_t cache_write_tokens;
    int64_t reasoning_tokens;
    int64_t cost_nano_usd; /* of the traces whose cost is known */
    uint64_t p50_ns;       /* percentiles of the duration, at most 0.8 % off */
    uint64_t p95_ns;
    uint64_t p99_ns;
    uint64_t max_ns; /* exact; does not shrink when the longest trace is replaced */
} inf_stats_row;

/* Of the filter agent, name, model, from and to count (from and to in whole minutes, rounded outwards); INF_EINVAL when
 * more is set. With INF_GROUP_NONE one row an interval (a multiple of a minute; 0: one row for all), oldest first,
 * empty ones left out; with a group one row a key, most traces first, at most `limit` (1,000). */
int inf_store_stats(inf_store *store, const inf_store_filter *filter, uint64_t interval_ns, enum inf_store_group group,
                    int limit, int (*row)(void *context, const inf_stats_row *stats), void *context);

enum inf_store_field { INF_FIELD_NAME, INF_FIELD_MODEL, INF_FIELD_TAG, INF_FIELD_SESSION, INF_FIELD_USER };

/* The values of a field that begin with `prefix` (NULL: any), of one agent or of all: those with most traces first,
 * among the first 5,000 in the order of their bytes; at most `limit` (50). */
int inf_store_values(inf_store *store, enum inf_store_field field, const char *prefix, const uint8_t *agent_id,
                     int limit, int (*row)(void *context, const char *value, int64_t traces), void *context);

/* ---- the store as a whole ---- */

/* One small step of retention: deletes, oldest start first, at most `max_rows` (at most 1,000) traces that began before
 * `before_ns` (0: none), or any while the store takes more than `max_bytes` (0: no bound). *removed: how many; 0 once
 * nothing is left to do. The file does not shrink: what becomes free is used again, and not counted. INF_EFULL: the
 * store takes more than max_bytes, and would even without the few traces that are left, which stay: sums and indexes
 * do. */
int inf_store_purge(inf_store *store, uint64_t before_ns, int64_t max_bytes, int max_rows, int *removed);
/* The same for sums, which stay when their traces go: those a minute for 35 days, those a quarter of an hour for 400,
 * coarser ones always. A step takes the oldest 60 buckets at most. */
int inf_store_purge_sums(inf_store *store, uint64_t now_ns);
/* Bytes of the database file that are in use. */
int inf_store_bytes(inf_store *store, int64_t *out);
/* Trains a dictionary for bodies when one is due, which is rarely; some seconds of work then, without holding up
 * anybody. 1: there is a new one. */
int inf_store_train(inf_store *store);
/* Moves the write-ahead log into the database. To be called every second or two by one thread of the receiver, so that
 * those who commit never have to. */
int inf_store_checkpoint(inf_store *store);
/* Copies the store, as it is at this moment, into the new file `path` (0600), while others read and write. INF_EEXIST:
 * there is something. `progress` may be NULL; what it returns, if not zero, ends the copying and is returned. Opened as
 * infinium.db in a directory of its own the file is a store. */
int inf_store_backup(inf_store *store, const char *path, int (*progress)(void *context, int done, int total),
                     void *context);
typedef struct inf_check_calls {
    int (*say)(void *context, const char *text);        /* something is wrong */
    int (*miscounted)(void *context, const char *text); /* so, and can be counted anew; NULL: is said like the rest */
    int (*repaired)(void *context, const char *text);   /* it was, and is no more */
    int (*progress)(void *context); /* a few times a second; what it returns, if not zero, ends it */
    void *context;
} inf_check_calls;

/* Reads everything and says what is wrong, a line each: pages, halves that miss each other, sums that are not those of
 * the traces, traces that the index of words lacks (a sample). `repair`: counts anew what can be counted. Returns how
 * many things are wrong and stay so, or negative: it could not be looked at; or what the progress returned. Any of the
 * calls, and `calls`, may be NULL. */
int inf_store_check(inf_store *store, const inf_check_calls *calls, bool repair);

/* ---- agents (create them with auth/agents.h, which makes the secret) ---- */

typedef struct inf_agent {
    uint8_t id[16];
    const char *name;
    uint64_t created_ns;
    bool revoked;
    uint64_t last_used_ns; /* read only; 0: never, or not written down yet */
    uint8_t salt[16];
    uint8_t hash[32];
    uint32_t iterations;
} inf_agent;

/* INF_EEXIST: that id is taken (revoked or not). */
int inf_store_agent_add(inf_store *store, const inf_agent *agent);
/* INF_ENOTFOUND. Revoking twice is no error. */
int inf_store_agent_revoke(inf_store *store, const uint8_t id[16]);
/* In the order of their creation. */
int inf_store_agents(inf_store *store, int (*row)(void *context, const inf_agent *agent), void *context);
/* A number that changes whenever another handle has written to the store. */
int inf_store_version(inf_store *store, uint64_t *out);

/* ---- log-in links and sessions of the page: only SHA-256 digests are kept ---- */

enum inf_token_kind { INF_TOKEN_LOGIN = 1, INF_TOKEN_SESSION = 2 };

/* What whoever has the token may. */
typedef struct inf_token_grant {
    int role;    /* enum inf_role (auth/access.h) */
    bool scoped; /* to the traces of agent_id */
    uint8_t agent_id[16];
    bool of_key; /* a key made the link: with the key the session ends */
    uint8_t key_id[16];
} inf_token_grant;

int inf_store_token_add(inf_store *store, enum inf_token_kind kind, const uint8_t digest[32], uint64_t expires_ns,
                        const inf_token_grant *grant);
/* 1 when the token is there, and neither it nor the key that made it has ended at `now_ns`, else 0. With `take` it is
 * gone afterwards. */
int inf_store_token_get(inf_store *store, enum inf_token_kind kind, const uint8_t digest[32], uint64_t now_ns,
                        bool take, inf_token_grant *grant);
/* All links and sessions end, or those of one key. How many; or negative. */
int inf_store_tokens_end(inf_store *store, const uint8_t *key_id);

#endif
