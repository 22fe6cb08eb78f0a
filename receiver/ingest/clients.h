/* What sending clients say of themselves: the header Infinium-Counts of a batch (docs/wire.md), the newest for each
 * agent. It tells a receiver what it has not got and why. Private to receiver/. */
#ifndef INF_INGEST_CLIENTS_H
#define INF_INGEST_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of inf_counts in infinium.h. */
#define INF_CLIENT_COUNTS(X)                                                                                           \
    X(begun)                                                                                                           \
    X(open) X(finished) X(pending) X(queued) X(sent) X(acknowledged) X(set_aside) X(refused) X(adopted) X(interrupted) \
        X(requests) X(retries)

typedef struct inf_client_counts {
#define X(name) uint64_t name;
    INF_CLIENT_COUNTS(X)
#undef X
} inf_client_counts;

typedef struct inf_client_report {
    uint8_t agent_id[16];
    uint64_t received_ns; /* Unix time */
    inf_client_counts counts;
} inf_client_report;

/* "begun=12; open=1; ...": names in any order, unknown ones passed over, absent ones 0. False when it is not of that
 * form, or nothing in it is known. */
bool inf_client_counts_parse(const char *text, inf_client_counts *out);

/* The newest report of at most INF_CLIENTS_MAX agents; the one that was heard of longest ago gives way. Any thread. */
#define INF_CLIENTS_MAX 1024
typedef struct inf_clients inf_clients;
inf_clients *inf_clients_new(void);
void inf_clients_free(inf_clients *clients);
void inf_clients_note(inf_clients *clients, const uint8_t agent_id[16], const char *header, uint64_t now_ns);
/* Calls `each` under a lock, in no order. */
void inf_clients_each(inf_clients *clients, void (*each)(void *context, const inf_client_report *report),
                      void *context);

#endif
