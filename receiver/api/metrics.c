/* GET /metrics: the receiver's numbers in the text format of Prometheus, version 0.0.4. docs/running.md says what each
 * means and is tested against this. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/query.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "infinium.h"

static void head(inf_buf *out, const char *name, const char *type, const char *help)
{
    inf_buf_printf(out, "# HELP infinium_%s %s\n# TYPE infinium_%s %s\n", name, help, name, type);
}

static void one(inf_buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    inf_buf_printf(out, "infinium_%s %" PRIu64 "\n", name, value);
}

static void histogram(inf_buf *out, const char *name, const char *help, const inf_histogram *h)
{
    uint64_t sum = 0;
    head(out, name, "histogram", help);
    for (int i = 0; i < INF_HISTOGRAM_BUCKETS; i++) {
        sum += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        if (i < INF_HISTOGRAM_BUCKETS - 1)
            inf_buf_printf(out, "infinium_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                           (double)inf_histogram_bounds[i] / 1e9, sum);
    }
    inf_buf_printf(out, "infinium_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, sum);
    inf_buf_printf(out, "infinium_%s_sum %.9f\n", name,
                   (double)atomic_load_explicit(&h->sum_ns, memory_order_relaxed) / 1e9);
    inf_buf_printf(out, "infinium_%s_count %" PRIu64 "\n", name, sum);
}

/* ---- the process ---- */

static uint64_t resident_bytes(void)
{
    char text[128];
    unsigned long long total, resident = 0;
    int fd = inf_os.open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    ssize_t n = inf_os.read(fd, text, sizeof text - 1);
    inf_os.close(fd);
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text, "%llu %llu", &total, &resident) != 2)
        return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(inf_buf *out, const inf_receiver *receiver)
{
    struct timespec used;
    head(out, "build_info", "gauge", "Always 1; the label says which version runs.");
    inf_buf_printf(out, "infinium_build_info{version=\"%s\"} 1\n", INF_VERSION);
    head(out, "start_time_seconds", "gauge", "When the receiver started, as Unix time.");
    inf_buf_printf(out, "infinium_start_time_seconds %.3f\n", (double)receiver->started_ns / 1e9);
    uint64_t now = inf_unix_ns();
    head(out, "uptime_seconds", "gauge", "How long it has been running.");
    inf_buf_printf(out, "infinium_uptime_seconds %.3f\n",
                   now > receiver->started_ns ? (double)(now - receiver->started_ns) / 1e9 : 0);
    one(out, "resident_memory_bytes", "gauge", "Memory of the process that is in RAM.", resident_bytes());
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
        head(out, "cpu_seconds_total", "counter", "Processor time used by the process.");
        inf_buf_printf(out, "infinium_cpu_seconds_total %.3f\n", (double)used.tv_sec + (double)used.tv_nsec / 1e9);
    }
}

/* ---- requests ---- */

static void write_request(void *context, enum inf_route route, unsigned status, uint64_t count)
{
    inf_buf *out = context;
    const inf_route_def *def = &inf_routes[route];
    const char *pattern = def->pattern ? def->pattern : "";
    bool root = strncmp(pattern, "//", 2) == 0;
    inf_buf_printf(out, "infinium_requests_total{route=\"%s%s\",method=\"%s\",status=\"%u\"} %" PRIu64 "\n",
                   def->pattern && !root ? INF_PREFIX : "",
                   root           ? pattern + 1
                   : def->pattern ? pattern
                                  : "none",
                   def->method ? def->method : "", status, count);
}

static void write_requests(inf_buf *out, const inf_receiver *receiver)
{
    head(out, "requests_total", "counter", "Requests answered, by route, method and status; status 0: any other.");
    inf_metrics_each_request(receiver->metrics, write_request, out);
    one(out, "connections", "gauge", "Connections that are open.", inf_http_connections(receiver->http));
    one(out, "viewers", "gauge", "Streams of events that are open.", inf_hub_viewers(receiver->hub));
}

/* ---- from a request to the store ---- */

static void write_journal(inf_buf *out, const inf_receiver *receiver, const inf_intake_stats *s)
{
    one(out, "journal_bytes", "gauge", "Size of the journal's files.", s->journal.bytes);
    one(out, "journal_max_bytes", "gauge", "What they may come to (journal-mib).", s->journal_max_bytes);
    one(out, "journal_waiting_bytes", "gauge", "Of them, accepted and not yet stored.", s->drain.waiting_bytes);
    one(out, "journal_accepted_position", "gauge", "Place in the journal up to which everything is durable.",
        atomic_load(&receiver->directory.state->accepted));
    one(out, "journal_stored_position", "gauge", "Place in the journal up to which everything is in the store.",
        atomic_load(&receiver->directory.state->stored));
    one(out, "journal_skipped_total", "counter", "Damaged stretches of the journal that were passed over.",
        s->journal.skipped + receiver->recovered_skipped);
    histogram(out, "commit_seconds", "How long it took to make one group of requests durable.", s->commits);
}

static void write_ingest(inf_buf *out, const inf_receiver *receiver)
{
    inf_intake_stats s;
    inf_intake_get_stats(receiver->intake, &s);
    one(out, "traces_accepted_total", "counter", "Traces taken into the journal.", s.journal.appended);
    head(out, "traces_refused_total", "counter",
         "Traces refused, by reason; a batch that is refused as a whole counts once.");
    for (int i = 0; i < INF_REFUSAL_COUNT; i++)
        inf_buf_printf(out, "infinium_traces_refused_total{reason=\"%s\"} %" PRIu64 "\n",
                       inf_refusal_name((enum inf_refusal)i),
                       inf_metrics_get_refused(receiver->metrics, (enum inf_refusal)i));
    one(out, "traces_stored_total", "counter", "Traces stored, new or in a better form.", s.drain.stored);
    one(out, "traces_duplicate_total", "counter", "Traces that the store had already.", s.drain.duplicates);
    one(out, "traces_left_out_total", "counter", "Accepted traces that can never be stored; the log says why.",
        s.drain.left_out);
    one(out, "traces_recovered_total", "counter", "Traces that an earlier receiver had accepted and this one stored.",
        receiver->recovered);
    head(out, "traces_waiting", "gauge", "Traces accepted and not yet stored.");
    uint64_t done = s.drain.stored + s.drain.duplicates + s.drain.left_out;
    inf_buf_printf(out, "infinium_traces_waiting %" PRIu64 "\n",
                   s.journal.appended > done ? s.journal.appended - done : 0);
    write_journal(out, receiver, &s);
    histogram(out, "store_transaction_seconds", "How long one transaction of the store took.", s.drain.transactions);
    one(out, "store_failing", "gauge", "1 while the store cannot be written.", s.drain.failing);
}

static uint64_t file_size(const inf_receiver *receiver, const char *name)
{
    char path[1200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", receiver->directory.path, name);
    return inf_os.stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void write_store(inf_buf *out, const inf_receiver *receiver)
{
    one(out, "store_bytes", "gauge", "Size of the store's database.", file_size(receiver, "infinium.db"));
    one(out, "store_wal_bytes", "gauge", "Size of its write-ahead log.", file_size(receiver, "infinium.db-wal"));
}

/* ---- the judge ---- */

static void write_judge(inf_buf *out, const inf_receiver *receiver)
{
    inf_judge_stats s;
    inf_judge_get_stats(receiver->judge, &s);
    head(out, "judge_state", "gauge", "1 for what the judge is at.");
    for (int i = INF_JUDGE_OFF; i <= INF_JUDGE_STORE_FAILS; i++)
        inf_buf_printf(out, "infinium_judge_state{state=\"%s\"} %d\n", inf_judge_state_name((enum inf_judge_state)i),
                       (int)s.state == i);
    one(out, "judge_waiting", "gauge", "Traces that wait to be judged.", (uint64_t)s.waiting);
    head(out, "judge_traces_total", "counter", "Traces that were judged, by verdict; failed: there will be none.");
    for (int i = 0; i < INF_VERDICTS; i++)
        inf_buf_printf(out, "infinium_judge_traces_total{verdict=\"%s\"} %" PRIu64 "\n",
                       inf_verdict_name((enum inf_verdict)i), s.verdicts[i]);
    inf_buf_printf(out, "infinium_judge_traces_total{verdict=\"failed\"} %" PRIu64 "\n", s.failed);
    head(out, "judge_passed_over_total", "counter", "What is never judged, by reason.");
    inf_buf_printf(out, "infinium_judge_passed_over_total{reason=\"queue_full\"} %" PRIu64 "\n", s.passed_full);
    inf_buf_printf(out, "infinium_judge_passed_over_total{reason=\"behind\"} %" PRIu64 "\n", s.passed_behind);
    one(out, "judge_calls_total", "counter", "Calls of the model.", s.calls);
    one(out, "judge_calls_failed_total", "counter", "Of them, those that gave nothing.", s.calls_failed);
    one(out, "judge_day_calls", "gauge", "Calls of the model today, UTC.", (uint64_t)s.day_calls);
    head(out, "judge_day_cost_usd", "gauge", "What they cost, in US-dollars, as far as it is known.");
    inf_buf_printf(out, "infinium_judge_day_cost_usd %.9f\n", (double)s.day_nano_usd / 1e9);
}

/* ---- what clients say ---- */

static void write_lost(void *context, const inf_client_report *report)
{
    char id[37];
    inf_id_uuid(report->agent_id, id);
    inf_buf_printf(context, "infinium_client_lost{agent=\"%s\",reason=\"refused\"} %" PRIu64 "\n", id,
                   report->counts.refused);
    inf_buf_printf(context, "infinium_client_lost{agent=\"%s\",reason=\"set_aside\"} %" PRIu64 "\n", id,
                   report->counts.set_aside);
}

static void write_pending(void *context, const inf_client_report *report)
{
    char id[37];
    inf_id_uuid(report->agent_id, id);
    inf_buf_printf(context, "infinium_client_pending{agent=\"%s\"} %" PRIu64 "\n", id, report->counts.pending);
}

static void write_clients(inf_buf *out, const inf_receiver *receiver)
{
    head(out, "client_lost", "gauge",
         "Traces that an agent's client has not delivered and never will, as it said with its last batch: refused "
         "because its journal was full, set aside because they were refused here.");
    inf_clients_each(receiver->clients, write_lost, out);
    head(out, "client_pending", "gauge", "Traces that an agent's client had still to deliver, when it last said.");
    inf_clients_each(receiver->clients, write_pending, out);
}

void inf_api_metrics(inf_request *r, inf_worker *worker)
{
    (void)worker;
    if (!inf_query_read(r, NULL, 0))
        return;
    if (r->access.scoped) {
        inf_request_refuse(r, MHD_HTTP_FORBIDDEN, "this key is for one agent; the numbers are of all");
        return;
    }
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    write_process(&r->answer, r->receiver);
    write_requests(&r->answer, r->receiver);
    write_ingest(&r->answer, r->receiver);
    write_store(&r->answer, r->receiver);
    write_judge(&r->answer, r->receiver);
    write_clients(&r->answer, r->receiver);
}
