/* Contexts: a pool's workers record on one trace, fibres keep theirs apart, late users find an ended trace. */
#include "client/support.h"

#include <pthread.h>
#include <ucontext.h>

#define WORKERS 4
#define EACH 50

struct task {
    inf_context context;
    pthread_barrier_t *barrier;
};

static void *work(void *of)
{
    struct task *task = of;
    assert_null(inf_current());
    inf_context before = inf_context_set(task->context);
    for (int i = 0; i < EACH; i++) {
        INF_STEP("work", "one of many")
        {
            inf_step_output("%d", i);
            inf_record_llm_call(&(inf_llm_call){.model = "m", .prompt_tokens = 1});
        }
        inf_tag("t");
    }
    inf_context_set(before);
    assert_null(inf_current());
    return NULL;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void test_workers_share_a_trace(void **state)
{
    (void)state;
    inf_trace *t = inf_trace_begin(NULL, "pool");
    struct task task = {.context = inf_context_get()};
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &task), 0);
    for (int i = 0; i < EACH; i++)
        inf_tag("t");
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    char *json = inf_trace_end_json(t, 1, NULL);
    assert_non_null(json);
    assert_int_equal(count(json, "\"action\":\"work\""), WORKERS * EACH);
    assert_int_equal(count(json, "\"action\":\"llm_call\""), WORKERS * EACH);
    assert_int_equal(count(json, "\"t\""), (WORKERS + 1) * EACH);
    assert_non_null(strstr(json, "\"total_tokens\":200"));
    free(json);
}

static void *work_late(void *of)
{
    struct task *task = of;
    inf_context_set(task->context);
    inf_step *step = inf_step_begin("late", "its trace ends first");
    pthread_barrier_wait(task->barrier);
    pthread_barrier_wait(task->barrier); /* the trace has ended meanwhile */
    inf_input("too late");
    inf_error("Late", "too late");
    inf_step_output("too late");
    inf_record_tool_call(&(inf_tool_call){.name = "late"});
    inf_step_end(step);
    inf_trace *child = inf_trace_begin(NULL, "child"); /* has a parent that has ended */
    inf_trace_end(child);
    inf_context_set(INF_CONTEXT_NONE);
    return NULL;
}

static void test_a_trace_that_ends_under_a_worker(void **state)
{
    (void)state;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    inf_trace *t = inf_trace_begin(NULL, "short");
    inf_step *step = inf_step_begin("mine", "handed over");
    struct task task = {.context = inf_context_get(), .barrier = &barrier};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work_late, &task), 0);
    pthread_barrier_wait(&barrier);
    inf_step_end(step);
    char *json = inf_trace_end_json(t, 1, NULL);
    assert_null(strstr(json, "late"));
    free(json);
    for (int i = 0; i < 20; i++) /* the object is not given to another trace */
        inf_trace_end(inf_trace_begin(NULL, "another"));
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
}

static void *ends_with_context(void *of)
{
    struct task *task = of;
    inf_context_set(task->context); /* the thread's end lets go of it */
    return NULL;
}

static void test_a_thread_that_ends_with_a_context(void **state)
{
    (void)state;
    inf_trace *t = inf_trace_begin(NULL, "t");
    struct task task = {.context = inf_context_get()};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ends_with_context, &task), 0);
    pthread_join(thread, NULL);
    inf_trace_end(t);
    assert_null(inf_current());
}

#define FIBRES 3
static struct fibre {
    ucontext_t machine;
    inf_context context;
    char *json;
    char stack[256 * 1024];
} fibres[FIBRES];
static ucontext_t scheduler;
static inf_context scheduler_context;
static int running, alive;

/* What a scheduler does at each switch. */
static void yield(void)
{
    struct fibre *self = &fibres[running];
    self->context = inf_context_set(scheduler_context);
    swapcontext(&self->machine, &scheduler);
}

static void fibre_main(void)
{
    struct fibre *self = &fibres[running];
    int number = running;
    inf_trace *t = inf_trace_begin(NULL, "fibre");
    for (int i = 0; i < 5; i++) {
        INF_STEP("turn", "between two switches")
        {
            inf_step_input("fibre %d turn %d", number, i);
            yield();
            assert_ptr_equal(inf_current(), t);
            inf_step_output("fibre %d turn %d", number, i);
        }
    }
    self->json = inf_trace_end_json(t, 1, NULL);
    alive--;
    yield();
}

static void test_fibres(void **state)
{
    (void)state;
    alive = FIBRES;
    scheduler_context = inf_context_get();
    for (int i = 0; i < FIBRES; i++) {
        getcontext(&fibres[i].machine);
        fibres[i].machine.uc_stack.ss_sp = fibres[i].stack;
        fibres[i].machine.uc_stack.ss_size = sizeof(fibres[i].stack);
        fibres[i].machine.uc_link = &scheduler;
        makecontext(&fibres[i].machine, fibre_main, 0);
    }
    for (running = 0; alive > 0; running = (running + 1) % FIBRES) {
        if (fibres[running].json)
            continue;
        inf_context_set(fibres[running].context);
        swapcontext(&scheduler, &fibres[running].machine);
        assert_null(inf_current());
    }
    for (int i = 0; i < FIBRES; i++) {
        char own[32];
        snprintf(own, sizeof(own), "fibre %d turn", i);
        assert_int_equal(count(fibres[i].json, own), 10);
        assert_int_equal(count(fibres[i].json, " turn "), 10);
        free(fibres[i].json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_share_a_trace),
        cmocka_unit_test(test_a_trace_that_ends_under_a_worker),
        cmocka_unit_test(test_a_thread_that_ends_with_a_context),
        cmocka_unit_test(test_fibres),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
