/* See judge.h. */
#include "judge/judge.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/os.h"
#include "infinium.h"
#include "judge/answer.h"
#include "judge/line.h"
#include "judge/pace.h"
#include "judge/prompt.h"
#include "send/retry.h"

enum {
    TICK_MS = 500,
    CHANGES = 500,      /* looked at in one step */
    BEHIND_MAX = 20000, /* changes that are read; what is further back is passed over */
    ATTEMPTS_MAX = 5,   /* calls for one trace */
    BUSY_MAX = 10,      /* likewise, when the API only says that it is busy: that is no fault of the trace */
    NICE = 10,
    BYTES_A_TOKEN = 3, /* of a prompt, guessed high, where an answer does not say */
};
#define DAY_NS 86400000000000ull

/* A trace that the API is being asked about. */
struct asked {
    bool busy;
    bool bare; /* the question is, without what some models refuse */
    inf_judge_wish wish;
    int64_t attempts; /* before this one */
    inf_buf body;
};

struct counts {
    atomic_int state;
    _Atomic uint64_t calls, failed, calls_failed, passed_full, passed_behind;
    _Atomic uint64_t verdicts[INF_VERDICTS];
    _Atomic int64_t waiting, day_calls, day_nano;
};

struct inf_judge {
    inf_judge_settings settings;
    inf_store *store;
    inf_judge_line *line;
    inf_judge_pace pace;
    inf_pricer pricer;
    inf_json *outer; /* the trace's body, then the API's answer */
    inf_json *inner; /* the model's */
    struct asked asked[INF_JUDGE_CALLS];
    int running;
    bool bare;      /* how the API wants to be asked */
    bool bare_good; /* it has answered so */
    uint64_t place; /* up to which changes were looked at */
    int64_t day;
    inf_judge_day used; /* on that day */
    int wake;
    atomic_bool stopping;
    pthread_t thread;
    struct counts counts;
    inf_log_cause trouble, full, over_budget, store_trouble;
};

const char *inf_judge_state_name(enum inf_judge_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        INF_JUDGE_STATES(X)
#undef X
    };
    return names[state];
}

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* ---- which traces ---- */

struct look {
    inf_judge *judge;
    inf_judge_wish wishes[CHANGES];
    size_t count;
    uint64_t last;
};

static int look_at(void *context, const inf_summary *trace)
{
    struct look *l = context;
    l->last = trace->sequence;
    if (inf_judge_wants(&l->judge->settings, trace)) {
        inf_judge_wish *wish = &l->wishes[l->count++];
        memcpy(wish->trace_id, trace->trace_id, 16);
        wish->revision = trace->sequence;
    }
    return 0;
}

/* Too many changes to read them all: the oldest are left out, and said. */
static void catch_up(inf_judge *j, uint64_t newest)
{
    uint64_t from = newest - BEHIND_MAX;
    count(&j->counts.passed_behind, from - j->place);
    inf_log(INF_LOG_WARNING,
            "judge: %" PRIu64 " changes of traces are passed over, because they came while the judge was off or faster "
            "than it looks",
            from - j->place);
    j->place = from;
}

/* Puts what was stored since into the queue. */
static int look_for_changes(inf_judge *j)
{
    uint64_t newest = 0;
    int rc = inf_store_sequence(j->store, &newest);
    if (rc < 0 || newest <= j->place)
        return rc;
    if (newest - j->place > BEHIND_MAX)
        catch_up(j, newest);
    struct look *l = malloc(sizeof *l);
    if (!l)
        return INF_ENOMEM;
    while (rc == 0 && j->place < newest && !atomic_load(&j->stopping)) {
        int64_t full = 0;
        l->judge = j;
        l->count = 0;
        l->last = newest; /* where nothing follows: numbers of rows that have changed again */
        rc = inf_store_changes(j->store, j->place, CHANGES, look_at, l);
        if (rc == 0)
            rc = inf_store_judge_enqueue(j->store, l->wishes, l->count, j->settings.queue, l->last, &full);
        if (rc == 0)
            j->place = l->last;
        count(&j->counts.passed_full, (uint64_t)full);
        if (full > 0)
            inf_log_once(&j->full, INF_LOG_WARNING,
                         "judge: %" PRId64 " traces wait to be judged, as many as may (judge-queue): further ones are "
                         "passed over and counted",
                         j->settings.queue);
        else if (l->count > 0)
            (void)inf_log_over(&j->full);
    }
    free(l);
    return rc;
}

/* Where an earlier judge was; a new one begins with what comes from now on. */
static int find_place(inf_judge *j)
{
    int64_t full;
    int rc = inf_store_judge_place(j->store, &j->place);
    if (rc != INF_ENOTFOUND)
        return rc;
    rc = inf_store_sequence(j->store, &j->place);
    return rc < 0 ? rc : inf_store_judge_enqueue(j->store, NULL, 0, 0, j->place, &full);
}

/* ---- what it costs ---- */

static int64_t price(inf_judge *j, const char *model, int64_t prompt, int64_t completion, int64_t cached)
{
    const inf_prices *prices = inf_pricer_begin(&j->pricer);
    inf_price_query q = {.model = *model ? model : j->settings.model,
                         .at_ns = inf_unix_ns(),
                         .prompt_tokens = prompt > 0 ? prompt : 0,
                         .completion_tokens = completion > 0 ? completion : 0,
                         .cached_tokens = cached > 0 ? cached : 0,
                         .calls = 1};
    int64_t cost = prices ? inf_price(prices, &j->pricer.cache, &q) : INF_COST_UNKNOWN;
    if (prices && cost == INF_COST_UNKNOWN && *model) {
        q.model = j->settings.model; /* a gateway's answer may name a model as nobody else does */
        cost = inf_price(prices, &j->pricer.cache, &q);
    }
    inf_pricer_end(&j->pricer);
    return cost;
}

/* The most that a call whose answer does not say may have cost. */
static int64_t guess(inf_judge *j, size_t question)
{
    return price(j, "", (int64_t)(question / BYTES_A_TOKEN) + 1, INF_JUDGE_COMPLETION_MAX, 0);
}

static int turn_day(inf_judge *j)
{
    int64_t day = (int64_t)(inf_unix_ns() / DAY_NS);
    if (day == j->day)
        return 0;
    int rc = inf_store_judge_day(j->store, day, &j->used);
    if (rc < 0)
        return rc;
    j->day = day;
    (void)inf_log_over(&j->over_budget);
    return 0;
}

static int spend(inf_judge *j, int64_t calls, int64_t nano)
{
    const inf_judge_day more = {.calls = calls, .nano_usd = nano > 0 ? nano : 0};
    j->used.calls += more.calls;
    j->used.nano_usd += more.nano_usd;
    return inf_store_judge_spend(j->store, j->day, more);
}

static bool within_budget(inf_judge *j)
{
    const inf_judge_settings *s = &j->settings;
    bool calls = s->day_calls == 0 || j->used.calls < s->day_calls;
    bool money = s->day_nano == 0 || j->used.nano_usd < s->day_nano;
    if (!calls || !money)
        inf_log_once(&j->over_budget, INF_LOG_WARNING,
                     "judge: the day's budget (%s) is used up; what waits is judged from 00:00 UTC on",
                     calls ? "judge-day-cents" : "judge-day-calls");
    return calls && money;
}

/* ---- asking ---- */

struct choice {
    inf_judge *judge;
    inf_judge_wish wish;
    int64_t attempts;
    bool found;
};

static int choose(void *context, const inf_judge_wish *wish, int64_t attempts)
{
    struct choice *c = context;
    for (int i = 0; i < INF_JUDGE_CALLS; i++)
        if (c->judge->asked[i].busy && memcmp(c->judge->asked[i].wish.trace_id, wish->trace_id, 16) == 0)
            return 0;
    if (!c->found) {
        c->wish = *wish;
        c->attempts = attempts;
        c->found = true;
    }
    return 0;
}

/* Writes the question. 1; 0: there is no such trace any more; negative: of the store, or the body cannot be read. */
static int write_question(inf_judge *j, struct asked *a)
{
    inf_judge_question q = {.model = j->settings.model, .texts = j->settings.texts, .bare = a->bare};
    inf_summary trace;
    inf_json_value root;
    char *body = NULL;
    size_t length = 0;
    uint8_t word[16];
    int rc = inf_random_secret(word, sizeof word);
    inf_hex(word, sizeof word, q.word);
    if (rc == 0)
        rc = inf_store_get(j->store, a->wish.trace_id, &trace, &body, &length);
    if (rc == INF_ENOTFOUND || (rc == 0 && trace.sequence != a->wish.revision)) {
        free(body);
        return 0;
    }
    inf_buf_reset(&a->body);
    if (rc == 0)
        rc = inf_json_parse(j->outer, body, length, 0, &root);
    if (rc == 0)
        rc = inf_judge_prompt_write(&a->body, &q, &trace, root);
    free(body);
    return rc < 0 ? rc : 1;
}

static int record(inf_judge *j, inf_judgement *judgement, const inf_judge_wish *wish)
{
    memcpy(judgement->trace_id, wish->trace_id, 16);
    judgement->revision = wish->revision;
    judgement->judged_ns = inf_unix_ns();
    int rc = inf_store_judge_record(j->store, judgement);
    if (rc > 0 && judgement->state == INF_JUDGEMENT_JUDGED)
        count(&j->counts.verdicts[judgement->verdict], 1);
    else if (rc > 0)
        count(&j->counts.failed, 1);
    return rc < 0 ? rc : 0;
}

static int record_failure(inf_judge *j, const struct asked *a, const char *error, uint64_t latency_ns)
{
    inf_judgement failed = {.state = INF_JUDGEMENT_FAILED,
                            .error = error,
                            .model = j->settings.model,
                            .prompt_tokens = -1,
                            .completion_tokens = -1,
                            .cost_nano_usd = -1,
                            .latency_ns = latency_ns};
    return record(j, &failed, &a->wish);
}

/* Asks about one trace. 1: it was; 0: none waits. */
static int ask(inf_judge *j, struct asked *a, int call)
{
    struct choice c = {.judge = j};
    int rc = inf_store_judge_next(j->store, inf_unix_ns(), j->pace.trouble, INF_JUDGE_CALLS + 1, choose, &c);
    if (rc < 0 || !c.found)
        return rc;
    a->wish = c.wish;
    a->attempts = c.attempts;
    a->bare = j->bare;
    rc = write_question(j, a);
    if (rc == 0)
        return inf_store_judge_drop(j->store, &a->wish) < 0 ? INF_EIO : 1;
    if (rc == INF_EBADMSG || rc == INF_E2BIG)
        return record_failure(j, a, "the trace's body cannot be read", 0) < 0 ? INF_EIO : 1;
    if (rc < 0)
        return rc;
    rc = spend(j, 1, 0); /* before the call: a crash in it does not make it uncounted */
    if (rc == 0)
        rc = inf_judge_line_ask(j->line, call, a->body.data, a->body.length);
    if (rc < 0)
        return rc;
    a->busy = true;
    j->running++;
    count(&j->counts.calls, 1);
    inf_judge_pace_began(&j->pace, inf_mono_ns());
    return 1;
}

static int ask_more(inf_judge *j)
{
    int rc = turn_day(j);
    for (int i = 0; rc >= 0 && i < INF_JUDGE_CALLS; i++) {
        if (j->asked[i].busy)
            continue;
        if (!inf_judge_pace_may(&j->pace, inf_mono_ns(), j->running) || !within_budget(j))
            return 0;
        rc = ask(j, &j->asked[i], i);
        if (rc == 0)
            return 0;
    }
    return rc < 0 ? rc : 0;
}

/* ---- what came back ---- */

static void answers(inf_judge *j)
{
    inf_judge_pace_well(&j->pace);
    if (inf_log_over(&j->trouble))
        inf_log(INF_LOG_INFO, "judge: the API answers again");
}

static int take_answer(inf_judge *j, const struct asked *a, const inf_judge_reply *r)
{
    inf_judge_answer *answer = malloc(sizeof *answer);
    if (!answer)
        return INF_ENOMEM;
    inf_judge_answer_read(answer, j->outer, j->inner, r->body ? r->body : "", r->length);
    inf_judge_hide_key(&j->settings, answer->reason);
    inf_judge_hide_key(&j->settings, answer->error);
    inf_judge_hide_key(&j->settings, answer->model);
    bool told = answer->prompt_tokens >= 0 || answer->completion_tokens >= 0;
    inf_judgement judgement = {.state = *answer->error ? INF_JUDGEMENT_FAILED : INF_JUDGEMENT_JUDGED,
                               .verdict = answer->verdict,
                               .score = answer->score,
                               .reason = answer->reason,
                               .error = answer->error,
                               .model = *answer->model ? answer->model : j->settings.model,
                               .prompt_tokens = answer->prompt_tokens,
                               .completion_tokens = answer->completion_tokens,
                               .cost_nano_usd = told ? price(j, answer->model, answer->prompt_tokens,
                                                             answer->completion_tokens, answer->cached_tokens)
                                                     : -1,
                               .latency_ns = r->latency_ns};
    /* Numbers past all bounds have no price either: they are not taken for nothing. */
    int rc = spend(j, 0, judgement.cost_nano_usd >= 0 ? judgement.cost_nano_usd : guess(j, a->body.length));
    int recorded = record(j, &judgement, &a->wish);
    if (a->bare)
        j->bare_good = true;
    answers(j);
    free(answer);
    return rc < 0 ? rc : recorded;
}

static uint64_t asked_for_rest(const inf_judge_reply *r)
{
    int64_t ms = *r->retry_after ? inf_retry_after_ms(r->retry_after, inf_unix_ns()) : -1;
    return ms > 0 ? (uint64_t)ms * 1000000u : 0;
}

/* Later once more, or never. */
static int try_again(inf_judge *j, const struct asked *a, const inf_judge_reply *r, const char *why)
{
    char error[INF_JUDGEMENT_ERROR_MAX + 1];
    int64_t attempts = a->attempts + 1, most = r->status == 429 ? BUSY_MAX : ATTEMPTS_MAX;
    uint64_t wait = (uint64_t)inf_retry_delay_ms((unsigned)attempts, inf_random_u64()) * 1000000u;
    if (attempts < most)
        return inf_store_judge_postpone(j->store, &a->wish, attempts, inf_unix_ns() + wait);
    snprintf(error, sizeof error, "%" PRId64 " calls gave nothing; the last: %s", attempts, why);
    return record_failure(j, a, error, r->latency_ns);
}

static int take_trouble(inf_judge *j, const struct asked *a, const inf_judge_reply *r, const char *why,
                        enum inf_judge_failure failure)
{
    if (inf_judge_pace_failed(&j->pace, inf_mono_ns(), failure, asked_for_rest(r)))
        inf_log_once(&j->trouble, INF_LOG_WARNING,
                     "judge: the API is in trouble (%s); traces wait, and it is asked again after growing pauses", why);
    /* What was sent and may have been worked on may be on the bill. */
    int rc = r->error == INF_ETIMEDOUT ? spend(j, 0, guess(j, a->body.length)) : 0;
    int tried = try_again(j, a, r, why);
    return rc < 0 ? rc : tried;
}

/* The question itself is refused: perhaps for a parameter that the model does not know. */
static int take_refusal(inf_judge *j, const struct asked *a, const inf_judge_reply *r, const char *why)
{
    if (r->status == 400 && !a->bare) {
        j->bare = true;
        return inf_store_judge_postpone(j->store, &a->wish, a->attempts, 0);
    }
    if (a->bare && !j->bare_good)
        j->bare = false; /* that was not it */
    answers(j);
    return record_failure(j, a, why, r->latency_ns);
}

static int take_reply(inf_judge *j, const struct asked *a, const inf_judge_reply *r)
{
    char why[INF_JUDGEMENT_ERROR_MAX - 60];
    if (r->error == 0 && r->status == 200)
        return take_answer(j, a, r);
    if (r->error)
        snprintf(why, sizeof why, "%s", r->reason);
    else
        inf_judge_error_read(why, sizeof why, j->outer, r->status, r->body ? r->body : "", r->length);
    inf_judge_hide_key(&j->settings, why);
    count(&j->counts.calls_failed, 1);
    if (r->error == INF_E2BIG) {
        int rc = spend(j, 0, guess(j, a->body.length));
        int recorded = record_failure(j, a, why, r->latency_ns);
        return rc < 0 ? rc : recorded;
    }
    if (r->status == 400 || r->status == 413 || r->status == 422)
        return take_refusal(j, a, r, why);
    if (r->error || r->status == 408 || r->status >= 500)
        return take_trouble(j, a, r, why, INF_JUDGE_NO_ANSWER);
    /* 401, 403, 404, a redirect, ... */
    return take_trouble(j, a, r, why, r->status == 429 ? INF_JUDGE_BUSY : INF_JUDGE_UNWANTED);
}

static void say_store_trouble(inf_judge *j)
{
    inf_log_once(&j->store_trouble, INF_LOG_WARNING, "judge: the store cannot be used: %s",
                 inf_store_message(j->store));
}

static void done(void *context, int call, const inf_judge_reply *reply)
{
    inf_judge *j = context;
    struct asked *a = &j->asked[call];
    a->busy = false;
    j->running--;
    if (take_reply(j, a, reply) < 0)
        say_store_trouble(j); /* the trace waits, and is asked about again */
}

/* ---- the thread ---- */

static void publish(inf_judge *j, int rc)
{
    struct counts *c = &j->counts;
    uint64_t now = inf_mono_ns();
    enum inf_judge_state state = INF_JUDGE_ON;
    if (rc < 0)
        state = INF_JUDGE_STORE_FAILS;
    else if (j->pace.trouble)
        state = j->pace.refused ? INF_JUDGE_REFUSED : INF_JUDGE_PAUSED;
    else if (now < j->pace.closed_ns)
        state = INF_JUDGE_PAUSED; /* it asked for a moment */
    else if (!within_budget(j))
        state = INF_JUDGE_OVER_BUDGET;
    int64_t waiting = inf_store_judge_waiting(j->store);
    atomic_store(&c->state, (int)state);
    if (waiting >= 0)
        atomic_store(&c->waiting, waiting);
    atomic_store(&c->day_calls, j->used.calls);
    atomic_store(&c->day_nano, j->used.nano_usd);
}

/* How long nothing can be to do. */
static int pause_ms(const inf_judge *j)
{
    uint64_t now = inf_mono_ns();
    if (j->running == INF_JUDGE_CALLS || j->pace.next_ns <= now)
        return TICK_MS;
    uint64_t ms = (j->pace.next_ns - now) / 1000000u + 1;
    return ms < TICK_MS ? (int)ms : TICK_MS;
}

static void *run(void *context)
{
    inf_judge *j = context;
    uint64_t looked_ns = 0;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    (void)pthread_setname_np(pthread_self(), "judge");
    while (!atomic_load(&j->stopping)) {
        int rc = 0;
        bool tick = inf_mono_ns() - looked_ns >= TICK_MS * 1000000ull;
        if (tick)
            rc = look_for_changes(j);
        if (rc == 0)
            rc = ask_more(j);
        if (rc < 0)
            say_store_trouble(j);
        else
            (void)inf_log_over(&j->store_trouble);
        if (tick) {
            publish(j, rc);
            looked_ns = inf_mono_ns();
        }
        inf_judge_line_turn(j->line, j->wake, rc < 0 ? TICK_MS : pause_ms(j), done, j);
    }
    return NULL;
}

static void free_judge(inf_judge *j)
{
    inf_judge_line_close(j->line);
    for (int i = 0; i < INF_JUDGE_CALLS; i++)
        inf_buf_free(&j->asked[i].body);
    if (j->wake >= 0)
        inf_os.close(j->wake);
    inf_json_free(j->outer);
    inf_json_free(j->inner);
    inf_pricer_end(&j->pricer);
    inf_store_close(j->store);
    explicit_bzero(&j->settings, sizeof j->settings);
    free(j);
}

static int open_judge(inf_judge *j, const char *data_dir, inf_price_book *prices, char *message, size_t size)
{
    j->pricer.book = prices;
    j->pace.per_minute = j->settings.per_minute;
    for (int i = 0; i < INF_JUDGE_CALLS; i++)
        inf_buf_init(&j->asked[i].body, INF_JUDGE_PROMPT_MAX);
    j->outer = inf_json_new();
    j->inner = inf_json_new();
    j->wake = inf_os.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!j->outer || !j->inner || j->wake < 0)
        return INF_ENOMEM;
    int rc = inf_judge_line_open(&j->line, &j->settings);
    if (rc == INF_ESYS)
        snprintf(message, size, "the judge needs libcurl (libcurl.so.4), which cannot be loaded");
    if (rc == 0)
        rc = inf_store_open(&j->store, data_dir, 0);
    if (rc == 0)
        rc = find_place(j);
    if (rc == 0)
        rc = turn_day(j);
    return rc;
}

static void introduce(inf_judge *j)
{
    const inf_judge_settings *s = &j->settings;
    inf_log(INF_LOG_INFO, "judge: %s at %s judges %d of 100 finished traces%s; their texts are %s", s->model, s->url,
            s->percent, s->agent_count || *s->names ? " of some agents or names" : "",
            s->texts ? "sent to it" : "not sent (judge-texts)");
    if (s->day_nano > 0 && guess(j, 1000) < 0)
        inf_log(
            INF_LOG_WARNING,
            "judge: %s has no price in the table: judge-day-cents does not bound what it costs, judge-day-calls does",
            s->model);
}

int inf_judge_start(inf_judge **out, const inf_serve_options *options, const char *data_dir, inf_price_book *prices,
                    char *message, size_t size)
{
    *out = NULL;
    inf_judge *j = calloc(1, sizeof *j);
    if (!j)
        return INF_ENOMEM;
    j->wake = -1;
    int rc = inf_judge_settings_read(&j->settings, options, message, size);
    bool wanted = rc > 0;
    if (wanted)
        rc = open_judge(j, data_dir, prices, message, size);
    if (wanted && rc == 0) {
        introduce(j);
        publish(j, 0);
        rc = pthread_create(&j->thread, NULL, run, j) == 0 ? 0 : INF_ESYS;
    }
    if (rc < 0 || !wanted) {
        free_judge(j);
        return rc;
    }
    *out = j;
    return 0;
}

void inf_judge_stop(inf_judge *j)
{
    if (!j)
        return;
    atomic_store(&j->stopping, true);
    const uint64_t one = 1;
    (void)!inf_os.write(j->wake, &one, sizeof one);
    inf_store_hurry(j->store); /* what it cannot write down, the next start will ask for again */
    pthread_join(j->thread, NULL);
    free_judge(j);
}

void inf_judge_get_stats(const inf_judge *j, inf_judge_stats *out)
{
    memset(out, 0, sizeof *out);
    if (!j)
        return;
    const struct counts *c = &j->counts;
    out->state = (enum inf_judge_state)atomic_load(&c->state);
    out->calls = atomic_load(&c->calls);
    for (int i = 0; i < INF_VERDICTS; i++)
        out->verdicts[i] = atomic_load(&c->verdicts[i]);
    out->failed = atomic_load(&c->failed);
    out->calls_failed = atomic_load(&c->calls_failed);
    out->passed_full = atomic_load(&c->passed_full);
    out->passed_behind = atomic_load(&c->passed_behind);
    out->waiting = atomic_load(&c->waiting);
    out->day_calls = atomic_load(&c->day_calls);
    out->day_nano_usd = atomic_load(&c->day_nano);
}

const char *inf_judge_model(const inf_judge *j)
{
    return j ? j->settings.model : NULL;
}

bool inf_judge_sends_texts(const inf_judge *j)
{
    return j && j->settings.texts;
}
