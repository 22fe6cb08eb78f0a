/* See reject.h. Both files are locked while they are changed, because several processes may trace for one agent. */
#include "send/reject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/os.h"
#include "infinium.h"

static int open_in(const char *directory, const char *name, int flags)
{
    char path[4200];
    int n = snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -1;
    return inf_os.open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void count_dropped(const char *directory)
{
    char text[32];
    int fd = open_in(directory, "rejected.dropped", O_RDWR);
    if (fd < 0)
        return;
    if (inf_os.flock(fd, LOCK_EX) == 0) {
        ssize_t n = inf_os.pread(fd, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        unsigned long long count = strtoull(text, NULL, 10) + 1;
        int length = snprintf(text, sizeof(text), "%llu\n", count);
        if (length > 0)
            (void)inf_os.pwrite(fd, text, (size_t)length, 0);
    }
    inf_os.close(fd);
}

static int append_line(const char *directory, const inf_buf *line)
{
    int fd = open_in(directory, "rejected.ndjson", O_WRONLY | O_APPEND);
    if (fd < 0)
        return inf_os_error(errno);
    struct stat status;
    int error = INF_OK;
    if (inf_os.flock(fd, LOCK_EX) != 0 || inf_os.fstat(fd, &status) != 0) {
        error = inf_os_error(errno);
    } else if ((uint64_t)status.st_size + line->length > INF_REJECT_MAX_BYTES) {
        error = INF_EFULL;
    } else if ((error = inf_os_write_all(fd, line->data, line->length)) != 0) {
        if (inf_os.ftruncate(fd, status.st_size) != 0)
            error = INF_EIO; /* a torn line stays; readers skip it */
    }
    inf_os.close(fd);
    return error;
}

int inf_reject_append(const char *directory, const uint8_t trace_id[16], long status, const char *reason,
                      const void *body, size_t length)
{
    char id[33];
    char date[INF_RFC3339_SIZE];
    inf_buf line;
    inf_buf_init(&line, INF_REJECT_MAX_BYTES);
    inf_json_writer w = inf_json_writer_on(&line);
    inf_id_hex(trace_id, id);
    inf_rfc3339(inf_unix_ns(), 3, date);
    inf_json_begin_object(&w);
    inf_json_key(&w, "trace_id");
    inf_json_put_text(&w, id);
    inf_json_key(&w, "rejected_at");
    inf_json_put_text(&w, date);
    inf_json_key(&w, "status");
    inf_json_put_i64(&w, status);
    inf_json_key(&w, "reason");
    inf_json_put_text(&w, reason);
    inf_json_key(&w, "body");
    inf_json_put_raw(&w, body, length);
    inf_json_end_object(&w);
    inf_buf_put_byte(&line, '\n');
    int error = line.error ? line.error : append_line(directory, &line);
    if (error == INF_EFULL || error == INF_E2BIG)
        count_dropped(directory);
    inf_buf_free(&line);
    return error;
}
