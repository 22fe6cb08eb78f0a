/* The receiver's settings: one table. `infinium serve --help`, the flags, the environment's names, the file's keys, the
 * members of inf_serve_options, `--print-config` and docs/configuration.md all come out of it. A setting is taken from
 * its flag, else from its environment variable, else from the file, else it has its default.
 *
 *     X(KIND, member, "name", "ENVIRONMENT", "PLACEHOLDER", DEFAULT, LEAST, MOST, WHEN, "help")
 *
 * KIND      what the text is, and what inf_serve_options holds:
 *           TEXT     const char *   LEAST to MOST bytes; DEFAULT may be NULL: not set
 *           SECRET   const char *   the same, never shown; by environment or file only (everybody sees command lines)
 *           SWITCH   bool           yes or no (true, false, on, off, 1, 0); its flag alone means yes
 *           COUNT    int64_t        a number
 *           SECONDS  int64_t        a number, which may have a unit: s, m, h or d; held in seconds
 *           MIB      uint64_t       a number of MiB; DEFAULT, LEAST and MOST are in MiB; held in bytes
 *           SIZE     uint64_t       bytes, which may have a unit: K, M, G or T (powers of 1,024)
 *           CHOICE   int            one of the words in PLACEHOLDER, "a|b|c", counted from 0
 * name      its key in the file; with "--" before it, its flag
 * WHEN      RELOAD: a reload (SIGHUP) takes a new value over. START: only a start does.
 * help      a phrase, without its default
 *
 * H("...") is a heading. After adding a row run the test receiver/test_config with INF_WRITE_DOCS=1 in the environment:
 * it writes docs/configuration.md anew. A member that another thread reads must not be read from the options after the
 * start: copy it, or change it in inf_receiver_reload(). */
#ifndef INF_CONFIG_H
#define INF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* clang-format off */
#define INF_CONFIG(X, H)                                                                                                 \
    H("Where")                                                                                                         \
    X(TEXT, data_dir, "data", "INFINIUM_DATA", "DIR", NULL, 1, 1000, START,                                            \
      "the receiver's data directory, made when missing; not set: $XDG_STATE_HOME/infinium/data or "                    \
      "~/.local/state/infinium/data")                                                                                  \
    X(TEXT, listen, "listen", "INFINIUM_LISTEN", "HOST:PORT", "127.0.0.1:8321", 1, 300, START,                         \
      "where to listen; port 0 picks one")                                                                             \
    X(TEXT, tls_cert, "tls-cert", "INFINIUM_TLS_CERT", "FILE", NULL, 1, 1000, START,                                   \
      "the certificate for TLS, PEM with its chain; a reload reads the file again")                                    \
    X(TEXT, tls_key, "tls-key", "INFINIUM_TLS_KEY", "FILE", NULL, 1, 1000, START,                                      \
      "its private key, PEM; a reload reads the file again")                                                           \
    X(SWITCH, plain_http, "plain-http", "INFINIUM_PLAIN_HTTP", NULL, false, 0, 0, START,                               \
      "listen without TLS even where other machines can reach it")                                                     \
    X(TEXT, hosts, "host", "INFINIUM_HOST", "NAME,...", NULL, 1, 1000, START,                                          \
      "names by which browsers may call this receiver, besides localhost, addresses and what it listens at")           \
    H("Size")                                                                                                          \
    X(COUNT, threads, "threads", "INFINIUM_THREADS", "N", 0, 0, 64, START,                                             \
      "threads that serve HTTP; 0: as many as processors, at most 4")                                                  \
    X(COUNT, connections, "connections", "INFINIUM_CONNECTIONS", "N", 4096, 1, 1000000, START,                         \
      "connections at once, at most")                                                                                  \
    X(MIB, journal_max_bytes, "journal-mib", "INFINIUM_SERVE_JOURNAL_MIB", "N", 1024, 32, 1 << 20, START,              \
      "accepted and not yet stored, at most, in MiB; past it agents are asked to come later")                          \
    X(COUNT, retention_days, "retention-days", "INFINIUM_RETENTION_DAYS", "N", 0, 0, 36500, RELOAD,                    \
      "traces that began more days ago are deleted, in small steps; 0: none")                                          \
    X(MIB, retention_bytes, "retention-mib", "INFINIUM_RETENTION_MIB", "N", 0, 0, 1 << 30, RELOAD,                     \
      "the oldest traces are deleted while the store takes more than so many MiB; 0: none")                            \
    H("Prices")                                                                                                        \
    X(TEXT, prices, "prices", "INFINIUM_PRICES", "FILE", NULL, 1, 1000, START,                                         \
      "the table of what models cost (docs/cost.md); a file that changes is read again within seconds, without a "      \
      "reload, another file only at a start; not set: prices.json in the data directory if there is one, else the "     \
      "built-in table")                                                                                                \
    H("A model as judge (docs/judge.md)")                                                                              \
    X(TEXT, judge_endpoint, "judge-endpoint", "INFINIUM_JUDGE_ENDPOINT", "URL", NULL, 1, 1000, START,                  \
      "base URL of an OpenAI-compatible API, as https://HOST/v1, whose model judges finished traces; not set: none "   \
      "is asked, and nothing leaves this machine")                                                                     \
    X(TEXT, judge_model, "judge-model", "INFINIUM_JUDGE_MODEL", "NAME", NULL, 1, 200, START, "the model that judges")  \
    X(SECRET, judge_key, "judge-key", "INFINIUM_JUDGE_KEY", "KEY", NULL, 1, 2000, START,                               \
      "the key of that API; better kept in a file of its own (judge-key-file)")                                        \
    X(TEXT, judge_key_file, "judge-key-file", "INFINIUM_JUDGE_KEY_FILE", "FILE", NULL, 1, 1000, START,                 \
      "a file that holds the key of that API and nothing else, read at the start")                                     \
    X(TEXT, judge_ca, "judge-ca", "INFINIUM_JUDGE_CA", "FILE", NULL, 1, 1000, START,                                   \
      "certificates, PEM, that the API's must come from; not set: the system's")                                       \
    X(SWITCH, judge_plain_http, "judge-plain-http", "INFINIUM_JUDGE_PLAIN_HTTP", NULL, false, 0, 0, START,             \
      "let judge-endpoint be http:// on another machine")                                                              \
    X(SWITCH, judge_texts, "judge-texts", "INFINIUM_JUDGE_TEXTS", NULL, false, 0, 0, START,                            \
      "send inputs, outputs, expected outcomes and error messages of traces to the model; without it only names, "     \
      "durations, counts and kinds of errors leave this machine")                                                      \
    X(TEXT, judge_agents, "judge-agents", "INFINIUM_JUDGE_AGENTS", "ID,...", NULL, 1, 4000, START,                     \
      "only traces of these agents are judged; not set: of all")                                                       \
    X(TEXT, judge_names, "judge-names", "INFINIUM_JUDGE_NAMES", "NAME,...", NULL, 1, 1000, START,                      \
      "only traces of these names are judged; not set: of all")                                                        \
    X(COUNT, judge_percent, "judge-percent", "INFINIUM_JUDGE_PERCENT", "N", 100, 1, 100, START,                        \
      "how many of 100 such traces are judged, drawn by their ids")                                                    \
    X(SECONDS, judge_s, "judge-seconds", "INFINIUM_JUDGE_SECONDS", "TIME", 60, 1, 600, START,                          \
      "how long one call of the model may take")                                                                       \
    X(COUNT, judge_per_minute, "judge-per-minute", "INFINIUM_JUDGE_PER_MINUTE", "N", 30, 1, 6000, START,               \
      "calls of the model a minute, at most")                                                                          \
    X(COUNT, judge_day_calls, "judge-day-calls", "INFINIUM_JUDGE_DAY_CALLS", "N", 1000, 0, 10000000, START,            \
      "calls of the model a day (UTC), at most; 0: any number")                                                        \
    X(COUNT, judge_day_cents, "judge-day-cents", "INFINIUM_JUDGE_DAY_CENTS", "N", 100, 0, 10000000, START,             \
      "what they may cost a day, in US-cents by the table of prices; 0: any amount; a model without a price is "       \
      "bounded by judge-day-calls alone")                                                                              \
    X(COUNT, judge_queue, "judge-queue", "INFINIUM_JUDGE_QUEUE", "N", 1000, 1, 100000, START,                          \
      "traces that may wait to be judged; while so many do, further ones are passed over and counted")                 \
    H("Limits of one address and one agent")                                                                           \
    X(COUNT, address_connections, "address-connections", "INFINIUM_ADDRESS_CONNECTIONS", "N", 512, 0, 1000000, RELOAD, \
      "connections at once from one address (IPv6: one /64 network), at most; 0: as many as there may be")             \
    X(COUNT, address_requests, "address-requests", "INFINIUM_ADDRESS_REQUESTS", "N", 5000, 0, 100000000, RELOAD,       \
      "requests a second from one address on average, five times that at once; 0: any number")                         \
    X(SIZE, address_bytes, "address-bytes", "INFINIUM_ADDRESS_BYTES", "BYTES", 268435456, 0, 1ll << 40, RELOAD,        \
      "bytes of bodies a second from one address on average, five times that at once; 0: any number")                  \
    X(COUNT, agent_requests, "agent-requests", "INFINIUM_AGENT_REQUESTS", "N", 0, 0, 100000000, RELOAD,                \
      "requests a second of one agent, likewise; 0: any number")                                                       \
    X(SIZE, agent_bytes, "agent-bytes", "INFINIUM_AGENT_BYTES", "BYTES", 0, 0, 1ll << 40, RELOAD,                      \
      "bytes of bodies a second of one agent, likewise; 0: any number")                                                \
    X(SECONDS, request_s, "request-seconds", "INFINIUM_REQUEST_SECONDS", "TIME", 30, 1, 3600, RELOAD,                  \
      "how long a request may take to arrive, and its answer to leave, besides what they need at 16 KiB a second")     \
    X(SWITCH, limit_loopback, "limit-loopback", "INFINIUM_LIMIT_LOOPBACK", NULL, false, 0, 0, RELOAD,                  \
      "the limits of one address hold for this machine itself too")                                                    \
    H("Running")                                                                                                       \
    X(SECONDS, shutdown_s, "shutdown-seconds", "INFINIUM_SHUTDOWN_SECONDS", "TIME", 10, 0, 3600, RELOAD,               \
      "how long an ending receiver goes on storing what it has accepted; the rest stays in the journal")               \
    X(SWITCH, quiet, "quiet", "INFINIUM_QUIET", NULL, false, 0, 0, START,                                              \
      "print only the address and the log-in link, log nothing below warnings")                                        \
    H("Log")                                                                                                           \
    X(CHOICE, log_format, "log-format", "INFINIUM_LOG_FORMAT", "text|json", 0, 0, 1, RELOAD,                           \
      "how the lines of the log on standard error look")                                                               \
    X(CHOICE, log_level, "log-level", "INFINIUM_LOG_LEVEL", "debug|info|warning|error", 1, 0, 3, RELOAD,               \
      "the least that is logged")                                                                                      \
    X(SWITCH, log_requests, "log-requests", "INFINIUM_LOG_REQUESTS", NULL, false, 0, 0, RELOAD,                        \
      "log every request: who, method, path without its query, status, time; nothing of what it held")
/* clang-format on */

#define INF_MIB (1024ull * 1024)

#define INF_CONFIG_TYPE_TEXT const char *
#define INF_CONFIG_TYPE_SECRET const char *
#define INF_CONFIG_TYPE_SWITCH bool
#define INF_CONFIG_TYPE_COUNT int64_t
#define INF_CONFIG_TYPE_SECONDS int64_t
#define INF_CONFIG_TYPE_MIB uint64_t
#define INF_CONFIG_TYPE_SIZE uint64_t
#define INF_CONFIG_TYPE_CHOICE int
#define INF_CONFIG_HELD_TEXT(value) (value)
#define INF_CONFIG_HELD_SECRET(value) (value)
#define INF_CONFIG_HELD_SWITCH(value) (value)
#define INF_CONFIG_HELD_COUNT(value) (value)
#define INF_CONFIG_HELD_SECONDS(value) (value)
#define INF_CONFIG_HELD_MIB(value) ((value)*INF_MIB)
#define INF_CONFIG_HELD_SIZE(value) (value)
#define INF_CONFIG_HELD_CHOICE(value) (value)
#define INF_CONFIG_NO_HEADING(text)

/* What a receiver is started with. data_dir is required. Text belongs to whoever filled it in. */
typedef struct inf_serve_options {
#define X(kind, member, name, environment, placeholder, def, least, most, when, help) INF_CONFIG_TYPE_##kind member;
    INF_CONFIG(X, INF_CONFIG_NO_HEADING)
#undef X
    int passed_socket; /* one that listens already, instead of `listen`; 0: none. Belongs to the receiver from then on.
                        */
} inf_serve_options;

#define INF_CONFIG_INIT(kind, member, name, environment, placeholder, def, least, most, when, help)                    \
    .member = INF_CONFIG_HELD_##kind(def),
#define INF_SERVE_OPTIONS_INIT                                                                                         \
    {                                                                                                                  \
        INF_CONFIG(INF_CONFIG_INIT, INF_CONFIG_NO_HEADING)                                                             \
    }

/* The rows by number. */
enum inf_config_id {
#define X(kind, member, name, environment, placeholder, def, least, most, when, help) INF_CONFIG_ID_##member,
    INF_CONFIG(X, INF_CONFIG_NO_HEADING)
#undef X
        INF_CONFIG_ROWS
};

enum inf_config_kind {
    INF_KIND_TEXT,
    INF_KIND_SECRET,
    INF_KIND_SWITCH,
    INF_KIND_COUNT,
    INF_KIND_SECONDS,
    INF_KIND_MIB,
    INF_KIND_SIZE,
    INF_KIND_CHOICE,
};

typedef struct inf_config_row {
    enum inf_config_kind kind;
    const char *name;
    const char *environment;
    const char *placeholder; /* NULL: a switch */
    const char *default_text;
    int64_t default_number; /* in the unit of the setting's text */
    int64_t least, most;    /* likewise, or bytes of text */
    bool reload;
    const char *help;
    size_t offset; /* in inf_serve_options */
} inf_config_row;

extern const inf_config_row inf_config_rows[INF_CONFIG_ROWS];

enum inf_config_from { INF_FROM_DEFAULT, INF_FROM_FILE, INF_FROM_ENVIRONMENT, INF_FROM_FLAG };

#define INF_CONFIG_FILE_MAX (64 * 1024) /* bytes */
#define INF_CONFIG_MESSAGE_SIZE 512

typedef struct inf_config {
    inf_serve_options options; /* text in it lives as long as the configuration, the flags and the environment */
    enum inf_config_from from[INF_CONFIG_ROWS];
    unsigned line[INF_CONFIG_ROWS]; /* of the file */
    char *text;                     /* what the file held, cut into words */
} inf_config;

/* Where the settings are looked for. Absent: NULL. */
typedef struct inf_config_sources {
    const char *const *flags; /* INF_CONFIG_ROWS texts, NULL where there is no flag */
    const char *(*environment)(const char *name);
    const char *file; /* path */
} inf_config_sources;

/* Reads all sources. 0, or a negative INF_E... and in `message` what is wrong, where, and what would be right; `config`
 * is to be freed all the same. */
int inf_config_load(inf_config *config, const inf_config_sources *sources, char message[INF_CONFIG_MESSAGE_SIZE]);
/* The same with the file's text (`length` bytes, any) in place of a path; `name` stands for it in messages. */
int inf_config_load_text(inf_config *config, const inf_config_sources *sources, const char *name, const char *text,
                         size_t length, char message[INF_CONFIG_MESSAGE_SIZE]);
void inf_config_free(inf_config *config);

/* Takes over into `running` what a reload may change, and says each change, `name: before -> after`; what only a start
 * changes it leaves and says that too. Returns how many were taken over. Texts then point into `wanted`. */
int inf_config_take_over(inf_serve_options *running, const inf_serve_options *wanted,
                         void (*say)(void *context, const char *line), void *context);

/* ---- as text (config_text.c) ---- */

/* A setting as the file would have it; "" when it is not set; a secret is never shown. */
void inf_config_value(const inf_config_row *row, const inf_serve_options *options, char *out, size_t size);
/* Its default, in the same way; its bounds ("1 to 64", "text or json"). */
void inf_config_default(const inf_config_row *row, char *out, size_t size);
void inf_config_allowed(const inf_config_row *row, char *out, size_t size);
/* Every setting with its value and where that came from, as a file that can be read again. */
void inf_config_print(const inf_config *config, const char *file, inf_buf *out);
/* docs/configuration.md */
void inf_config_page(inf_buf *out);

#endif
