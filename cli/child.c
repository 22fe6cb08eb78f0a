/* A child process with its output: see child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

#define END_MS 3000

extern char **environ;

int cli_child_start(cli_child *child, char *const argv[])
{
    int ends[2];
    memset(child, 0, sizeof *child);
    child->output = -1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int error = posix_spawn_file_actions_init(&actions);
    if (!error)
        error = posix_spawnattr_init(&attributes);
    if (error) {
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    error = posix_spawnp(&child->pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        child->exited = true;
        return error;
    }
    child->output = ends[0];
    return 0;
}

static void print_line(cli_child *child)
{
    bool colour = cli_colour(stdout);
    child->line[child->length] = 0;
    child->length = 0;
    fputs(colour ? CLI_DIM "  | " : "  | ", stdout);
    cli_text(stdout, child->line, 0, true);
    fputs(colour ? CLI_PLAIN "\n" : "\n", stdout);
}

static void take_output(cli_child *child)
{
    char data[4096];
    ssize_t length = read(child->output, data, sizeof data);
    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (length <= 0) {
        if (child->length > 0)
            print_line(child);
        close(child->output);
        child->output = -1;
        return;
    }
    for (ssize_t i = 0; i < length; i++) {
        if (data[i] != '\n')
            child->line[child->length++] = data[i] ? data[i] : ' ';
        if (data[i] == '\n' || child->length == sizeof child->line - 1)
            print_line(child);
    }
    fflush(stdout);
}

static void look_for_end(cli_child *child)
{
    int status;
    if (child->exited || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    child->exited = true;
    child->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool cli_child_poll(cli_child *child, int timeout_ms)
{
    if (child->output >= 0) {
        struct pollfd p = {.fd = child->output, .events = POLLIN};
        if (poll(&p, 1, timeout_ms) > 0)
            take_output(child);
        else
            look_for_end(child);
        /* A grandchild may hold the pipe open for ever: once the child is gone, an empty pipe is the end. */
        if (child->exited && child->output >= 0 && poll(&p, 1, 0) == 0) {
            close(child->output);
            child->output = -1;
        }
    } else if (!child->exited) {
        struct timespec pause = {.tv_nsec = (timeout_ms % 1000) * 1000000L};
        nanosleep(&pause, NULL);
    }
    look_for_end(child);
    return !child->exited || child->output >= 0;
}

void cli_child_end(cli_child *child)
{
    if (child->pid > 0 && !child->exited) {
        kill(child->pid, SIGTERM);
        for (int waited = 0; waited < END_MS && !child->exited; waited += 50)
            cli_child_poll(child, 50);
        if (!child->exited) {
            kill(child->pid, SIGKILL);
            waitpid(child->pid, NULL, 0);
            child->exited = true;
        }
    }
    if (child->output >= 0)
        close(child->output);
    child->output = -1;
}
