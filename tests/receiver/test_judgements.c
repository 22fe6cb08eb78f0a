/* Judgements in the store: who waits, in which order, how many; what is recorded once; what goes with its trace. */
#include "receiver/running.h"

#include "store/judgements.h"
#include "store/store.h"

struct fixture {
    struct running r;
    inf_store *store;
};

static int make(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    make_dir(&f->r);
    f->store = open_store(&f->r);
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *f = *state;
    inf_store_close(f->store);
    remove_tree(f->r.dir);
    free(f);
    return 0;
}

static inf_judge_wish put(struct fixture *f, uint8_t number, uint8_t status)
{
    inf_store_put row = {.summary = {.name = "n", .status = status, .started_ns = number * 1000000000ull},
                         .body = "{}",
                         .body_length = 2};
    memset(row.summary.trace_id, number, 16);
    memset(row.summary.agent_id, 9, 16);
    assert_int_equal(inf_store_put_traces(f->store, &row, 1), 0);
    inf_judge_wish wish = {.revision = row.sequence};
    memset(wish.trace_id, number, 16);
    return wish;
}

static int64_t enqueue(struct fixture *f, const inf_judge_wish *wishes, size_t count, int64_t bound)
{
    int64_t full = -1;
    assert_int_equal(inf_store_judge_enqueue(f->store, wishes, count, bound, wishes[count - 1].revision, &full), 0);
    return full;
}

struct seen {
    int count;
    inf_judge_wish wishes[10];
    int64_t attempts[10];
};

static int see(void *context, const inf_judge_wish *wish, int64_t attempts)
{
    struct seen *s = context;
    s->wishes[s->count] = *wish;
    s->attempts[s->count++] = attempts;
    return 0;
}

static struct seen next(struct fixture *f, uint64_t now_ns, bool rested)
{
    struct seen s = {0};
    assert_int_equal(inf_store_judge_next(f->store, now_ns, rested, 10, see, &s), 0);
    return s;
}

static inf_judgement judged(const inf_judge_wish *wish)
{
    inf_judgement j = {.revision = wish->revision,
                       .state = INF_JUDGEMENT_JUDGED,
                       .verdict = INF_VERDICT_FAIL,
                       .score = 0.25,
                       .reason = "It is \"half\" done",
                       .model = "m-1",
                       .judged_ns = 1234567890123,
                       .prompt_tokens = 100,
                       .completion_tokens = -1,
                       .cost_nano_usd = 0,
                       .latency_ns = 5};
    memcpy(j.trace_id, wish->trace_id, 16);
    return j;
}

static void waits_and_is_recorded_once(void **state)
{
    struct fixture *f = *state;
    inf_judgement got;
    uint64_t place = 7;
    assert_int_equal(inf_store_judge_place(f->store, &place), INF_ENOTFOUND);
    inf_judge_wish a = put(f, 1, INF_STATUS_OK);
    assert_int_equal(inf_store_judgement(f->store, a.trace_id, a.revision, &got), INF_ENOTFOUND);
    assert_int_equal(enqueue(f, &a, 1, 10), 0);
    assert_int_equal(enqueue(f, &a, 1, 10), 0); /* looked at twice, after a crash: once all the same */
    assert_int_equal(inf_store_judge_waiting(f->store), 1);
    assert_int_equal(inf_store_judge_place(f->store, &place), 0);
    assert_int_equal(place, a.revision);
    assert_int_equal(inf_store_judgement(f->store, a.trace_id, a.revision, &got), 0);
    assert_int_equal(got.state, INF_JUDGEMENT_WAITING);
    assert_null(got.reason);

    inf_judgement j = judged(&a);
    assert_int_equal(inf_store_judge_record(f->store, &j), 1);
    assert_int_equal(inf_store_judge_record(f->store, &j), 0);
    assert_int_equal(inf_store_judge_waiting(f->store), 0);
    assert_int_equal(enqueue(f, &a, 1, 10), 0);
    assert_int_equal(inf_store_judge_waiting(f->store), 0);
    inf_store_close(f->store); /* it is there after a restart */
    f->store = open_store(&f->r);
    assert_int_equal(inf_store_judgement(f->store, a.trace_id, a.revision, &got), 0);
    assert_int_equal(got.state, INF_JUDGEMENT_JUDGED);
    assert_int_equal(got.verdict, INF_VERDICT_FAIL);
    assert_true(got.score == 0.25);
    assert_string_equal(got.reason, "It is \"half\" done");
    assert_string_equal(got.model, "m-1");
    assert_null(got.error);
    assert_int_equal(got.judged_ns, 1234567890123);
    assert_int_equal(got.prompt_tokens, 100);
    assert_int_equal(got.completion_tokens, -1);
    assert_int_equal(got.cost_nano_usd, 0);
    assert_int_equal(got.latency_ns, 5);
}

static void a_failure_says_why(void **state)
{
    struct fixture *f = *state;
    inf_judgement got;
    inf_judge_wish a = put(f, 1, INF_STATUS_ERROR);
    enqueue(f, &a, 1, 10);
    inf_judgement j = judged(&a);
    j.state = INF_JUDGEMENT_FAILED;
    j.error = "no JSON";
    assert_int_equal(inf_store_judge_record(f->store, &j), 1);
    assert_int_equal(inf_store_judgement(f->store, a.trace_id, a.revision, &got), 0);
    assert_int_equal(got.state, INF_JUDGEMENT_FAILED);
    assert_string_equal(got.error, "no JSON");
    assert_null(got.reason);
}

static void the_queue_is_bounded_and_in_order(void **state)
{
    struct fixture *f = *state;
    inf_judge_wish w[5];
    for (uint8_t i = 0; i < 5; i++)
        w[i] = put(f, (uint8_t)(9 - i), INF_STATUS_OK);
    assert_int_equal(enqueue(f, w, 5, 3), 2);
    assert_int_equal(inf_store_judge_waiting(f->store), 3);
    struct seen s = next(f, 100, false);
    assert_int_equal(s.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(s.wishes[i].revision, w[i].revision);
    assert_int_equal(inf_store_judge_postpone(f->store, &w[0], 2, 200), 0);
    s = next(f, 199, false);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.wishes[0].revision, w[1].revision);
    s = next(f, 200, false); /* its turn again, before those that came later */
    assert_int_equal(s.count, 3);
    assert_int_equal(s.wishes[0].revision, w[0].revision);
    assert_int_equal(s.attempts[0], 2);
    s = next(f, 200, true); /* one that has not been tried comes first */
    assert_int_equal(s.wishes[0].revision, w[1].revision);
    assert_int_equal(s.wishes[2].revision, w[0].revision);
}

static void a_replaced_trace_is_judged_anew(void **state)
{
    struct fixture *f = *state;
    inf_judgement got;
    inf_judge_wish before = put(f, 1, INF_STATUS_INTERRUPTED);
    enqueue(f, &before, 1, 10);
    inf_judge_wish after = put(f, 1, INF_STATUS_OK);
    assert_true(after.revision > before.revision);
    inf_judgement j = judged(&before); /* the answer about the first form comes after the second */
    assert_int_equal(inf_store_judge_record(f->store, &j), 1);
    assert_int_equal(inf_store_judgement(f->store, after.trace_id, after.revision, &got), INF_ENOTFOUND);
    enqueue(f, &after, 1, 10);
    assert_int_equal(inf_store_judgement(f->store, after.trace_id, after.revision, &got), 0);
    assert_int_equal(got.state, INF_JUDGEMENT_WAITING);
    assert_null(got.reason);
    assert_int_equal(inf_store_judge_record(f->store, &j), 0);
    enqueue(f, &before, 1, 10); /* is not stored any more */
    assert_int_equal(inf_store_judge_waiting(f->store), 1);
    j = judged(&after);
    assert_int_equal(inf_store_judge_record(f->store, &j), 1);
}

static void it_goes_with_its_trace(void **state)
{
    struct fixture *f = *state;
    inf_judgement got;
    int removed = 0;
    inf_judge_wish w[3];
    for (uint8_t i = 0; i < 3; i++)
        w[i] = put(f, (uint8_t)(i + 1), INF_STATUS_OK);
    enqueue(f, w, 3, 10);
    inf_judgement j = judged(&w[0]);
    assert_int_equal(inf_store_judge_record(f->store, &j), 1);
    assert_int_equal(inf_store_purge(f->store, 2500000000ull, 0, 100, &removed), 0);
    assert_int_equal(removed, 2);
    assert_int_equal(inf_store_judgement(f->store, w[0].trace_id, w[0].revision, &got), INF_ENOTFOUND);
    assert_int_equal(inf_store_judge_waiting(f->store), 1);
    j = judged(&w[1]); /* deleted while it was asked about */
    assert_int_equal(inf_store_judge_record(f->store, &j), 0);
    j = judged(&w[2]);
    assert_int_equal(inf_store_judge_record(f->store, &j), 1);
    enqueue(f, w, 2, 10);
    assert_int_equal(inf_store_judge_waiting(f->store), 0);
}

static void days_add_up(void **state)
{
    struct fixture *f = *state;
    inf_judge_day day = {.calls = 5};
    assert_int_equal(inf_store_judge_day(f->store, 20000, &day), 0);
    assert_int_equal(day.calls, 0);
    assert_int_equal(inf_store_judge_spend(f->store, 20000, (inf_judge_day){1, 0}), 0);
    assert_int_equal(inf_store_judge_spend(f->store, 20000, (inf_judge_day){1, 300}), 0);
    assert_int_equal(inf_store_judge_spend(f->store, 20001, (inf_judge_day){1, 7}), 0);
    assert_int_equal(inf_store_judge_day(f->store, 20000, &day), 0);
    assert_int_equal(day.calls, 2);
    assert_int_equal(day.nano_usd, 300);
    assert_int_equal(inf_store_judge_spend(f->store, 20500, (inf_judge_day){1, 7}), 0); /* old days are forgotten */
    assert_int_equal(inf_store_judge_day(f->store, 20001, &day), 0);
    assert_int_equal(day.calls, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
    const struct CMUnitTest tests[] = {
        TEST(waits_and_is_recorded_once),      TEST(a_failure_says_why),     TEST(the_queue_is_bounded_and_in_order),
        TEST(a_replaced_trace_is_judged_anew), TEST(it_goes_with_its_trace), TEST(days_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
