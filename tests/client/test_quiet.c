/* What a traced call does not do: wait, lock, allocate, call the system. And a close that does not wait for a disk. */
#include "client/support.h"

#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/os.h"
#include "journal/journal.h"
#include "model/record.h"

#define NOBODY "http://127.0.0.1:1/api/v1"

static _Thread_local unsigned allocations;
static _Thread_local unsigned locks;

/* In the place of the C library's, for everything that is linked into this program. */
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static _Atomic(void *) next;
    int (*lock)(pthread_mutex_t *);
    void *found = atomic_load(&next);
    if (!found) {
        found = dlsym(RTLD_NEXT, "pthread_mutex_lock");
        atomic_store(&next, found);
    }
    locks++;
    memcpy(&lock, &found, sizeof(lock));
    return lock(mutex);
}

static struct inf_os system_os;

static void *counting_malloc(size_t length)
{
    allocations++;
    return system_os.malloc(length);
}

static void *counting_calloc(size_t count, size_t length)
{
    allocations++;
    return system_os.calloc(count, length);
}

static void *counting_realloc(void *data, size_t length)
{
    allocations++;
    return system_os.realloc(data, length);
}

static void trace_some(inf_client *client, int count)
{
    for (int i = 0; i < count; i++) {
        inf_trace *outer = inf_trace_begin(client, "outer");
        inf_input("%s", "what came in: Bearer abcdef0123456789");
        trace_one(client, "inner");
        inf_tag("a tag");
        inf_output("%s", "what went out: password=x");
        inf_trace_end(outer);
    }
}

struct hot {
    inf_client *client;
    int done;
    bool noisy;
};

/* From here on the kernel kills the process when this thread calls it for anything but write() and the thread's end.
 * (The strict mode of seccomp will not do: it takes the time stamp counter away, by which every clock is read.) */
static bool forbid_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void *run_hot(void *argument)
{
    struct hot *hot = argument;
    trace_some(hot->client, 100);
    sleep_ms(150); /* the clock takes its second look */
    trace_some(hot->client, 100);
    allocations = locks = 0;
    if (!forbid_calls()) {
        (void)!write(hot->done, "-", 1);
        return NULL;
    }
    trace_some(hot->client, 150);
    if (hot->noisy)
        (void)syscall(SYS_getpid);
    char answer = allocations ? 'a' : locks ? 'l' : 'q';
    (void)!write(hot->done, &answer, 1);
    syscall(SYS_exit, 0);
    return NULL;
}

/* What the child says: q for quiet, '\0' when it was killed. */
static char run_in_child(bool noisy)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        system_os = inf_os;
        inf_os.malloc = counting_malloc;
        inf_os.calloc = counting_calloc;
        inf_os.realloc = counting_realloc;
        struct hot hot = {open_client(NOBODY), ends[1], noisy};
        trace_some(hot.client, 100);
        pthread_t thread;
        if (pthread_create(&thread, NULL, run_hot, &hot) != 0)
            _exit(1);
        sleep_ms(20000); /* it is killed before */
        _exit(1);
    }
    close(ends[1]);
    char answer = '\0';
    struct pollfd waiting = {.fd = ends[0], .events = POLLIN};
    if (poll(&waiting, 1, 15000) == 1 && read(ends[0], &answer, 1) != 1)
        answer = '\0';
    close(ends[0]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return answer;
}

static void test_a_trace_calls_nobody(void **state)
{
    (void)state;
    char answer = run_in_child(false);
    if (answer == '-') {
        print_message("no seccomp here\n");
        skip();
    }
    assert_int_equal(answer, 'q');
    assert_int_equal(run_in_child(true), '\0'); /* the test itself would notice */
}

static atomic_bool disk_is_slow;
static atomic_bool disk_is_at_work;

static int slow_fdatasync(int fd)
{
    (void)fd;
    while (atomic_load(&disk_is_slow)) {
        atomic_store(&disk_is_at_work, true);
        sleep_ms(10);
    }
    return 0;
}

/* The sender waits for a disk that does not answer; whoever closes does not. What he leaves behind is closed later. */
static void test_close_does_not_wait_for_a_disk(void **state)
{
    (void)state;
    char journals[128];
    snprintf(journals, sizeof(journals), "%s/%s", directory, AGENT);
    int (*before)(int) = inf_os.fdatasync;
    atomic_store(&disk_is_slow, true);
    inf_os.fdatasync = slow_fdatasync;
    inf_client *client = open_client(NOBODY);
    trace_one(client, "kept");
    WAIT_FOR(atomic_load(&disk_is_at_work));
    uint64_t start = inf_mono_ns();
    (void)inf_close(client, 0);
    assert_true(inf_mono_ns() - start < 800000000u);
    inf_journal *left = NULL;
    assert_int_equal(inf_journal_adopt(&left, journals), 0); /* it is in use still */
    atomic_store(&disk_is_slow, false);
    int adopted = 0;
    WAIT_FOR(adopted == 1 || (adopted = inf_journal_adopt(&left, journals)) == 1);
    inf_os.fdatasync = before;
    inf_record record;
    assert_int_equal(inf_journal_next(left, &record), 1);
    inf_journal_close(left);
}

/* Where the directory should be there is something else at first. When it can be made, what is in memory moves there
 * and survives the process. */
static void test_a_directory_that_comes_later(void **state)
{
    (void)state;
    char place[100], journals[160];
    snprintf(place, sizeof(place), "%s/later", directory);
    snprintf(journals, sizeof(journals), "%s/%s", place, AGENT);
    FILE *file = fopen(place, "w");
    assert_non_null(file);
    fclose(file);
    pid_t pid = fork();
    if (pid == 0) {
        inf_client *client = NULL;
        inf_options options = {.agent_id = AGENT, .agent_secret = SECRET, .base_url = NOBODY, .journal_dir = place};
        if (inf_open(&client, &options) != INF_OK)
            _exit(1);
        trace_one(client, "before");
        if (unlink(place) != 0) /* a file, so the journal is in memory */
            _exit(1);
        sleep_ms(20000);
        _exit(1);
    }
    uint64_t pending = 0;
    WAIT_FOR((inf_journal_peek(journals, &pending) == 0 && pending > 0) || waitpid(pid, NULL, WNOHANG) == pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    inf_journal *left = NULL;
    assert_int_equal(inf_journal_adopt(&left, journals), 1);
    inf_record record;
    uint8_t last = 0;
    while (inf_journal_next(left, &record) == 1)
        last = record.type;
    assert_int_equal(last, INF_RECORD_END); /* it holds all that the trace had */
    inf_journal_close(left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_trace_calls_nobody, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_a_directory_that_comes_later, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_close_does_not_wait_for_a_disk, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
