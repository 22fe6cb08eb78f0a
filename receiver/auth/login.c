/* See login.h. Tokens have 256 random bits, so a plain digest of them is enough to store. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "auth/login.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/os.h"
#include "infinium.h"
#include "store/keys.h"

#define SECOND 1000000000ull

static void digest(const char *token, uint8_t out[32])
{
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, strlen(token), (const uint8_t *)token);
    sha256_digest(&sha, 32, out);
}

static int make(char token[INF_TOKEN_SIZE])
{
    uint8_t random[32];
    int rc = inf_random_secret(random, sizeof random);
    if (rc == 0)
        inf_hex(random, sizeof random, token);
    return rc;
}

static int add(inf_store *store, enum inf_token_kind kind, uint64_t seconds, const inf_token_grant *grant,
               char token[INF_TOKEN_SIZE])
{
    uint8_t d[32];
    int rc = make(token);
    if (rc < 0)
        return rc;
    digest(token, d);
    return inf_store_token_add(store, kind, d, inf_unix_ns() + seconds * SECOND, grant);
}

static int get(inf_store *store, enum inf_token_kind kind, const char *token, bool take, inf_token_grant *grant)
{
    uint8_t d[32];
    if (!token || strlen(token) != INF_TOKEN_SIZE - 1)
        return 0;
    digest(token, d);
    return inf_store_token_get(store, kind, d, inf_unix_ns(), take, grant);
}

int inf_login_create_for(inf_store *store, const inf_token_grant *grant, char token[INF_TOKEN_SIZE])
{
    return add(store, INF_TOKEN_LOGIN, INF_LOGIN_S, grant, token);
}

int inf_login_create(inf_store *store, char token[INF_TOKEN_SIZE])
{
    return inf_login_create_for(store, &(inf_token_grant){.role = INF_ROLE_ADMIN}, token);
}

int inf_login_redeem(inf_store *store, const char *token, char session[INF_TOKEN_SIZE])
{
    inf_token_grant grant;
    int rc = get(store, INF_TOKEN_LOGIN, token, true, &grant);
    if (rc != 1)
        return rc;
    rc = add(store, INF_TOKEN_SESSION, 7 * 24 * 3600, &grant, session);
    return rc < 0 ? rc : 1;
}

int inf_login_end_all(inf_store *store, const inf_actor *actor)
{
    char detail[40];
    inf_audit entry = {
        .who = actor->who, .origin = actor->origin, .action = "session.end_all", .subject = "", .detail = detail};
    int rc = inf_store_change_begin(store);
    if (rc < 0)
        return rc;
    int ended = inf_store_tokens_end(store, NULL);
    snprintf(detail, sizeof detail, "%d sessions and links", ended);
    rc = inf_store_change_end(store, ended < 0 ? ended : 0, &entry);
    return rc < 0 ? rc : ended;
}

int inf_session_check(inf_store *store, const char *session, inf_token_grant *grant)
{
    return get(store, INF_TOKEN_SESSION, session, false, grant);
}

int inf_session_end(inf_store *store, const char *session)
{
    inf_token_grant grant;
    int rc = get(store, INF_TOKEN_SESSION, session, true, &grant);
    return rc < 0 ? rc : 0;
}

/* 1 when the file held a whole token. */
static int read_file(const char *path, char token[INF_TOKEN_SIZE])
{
    int fd = inf_os.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return errno == ENOENT ? 0 : inf_os_error(errno);
    ssize_t n = inf_os.read(fd, token, INF_TOKEN_SIZE - 1);
    inf_os.close(fd);
    if (n != INF_TOKEN_SIZE - 1)
        return n < 0 ? INF_EIO : 0;
    token[n] = 0;
    return strspn(token, "0123456789abcdef") == INF_TOKEN_SIZE - 1;
}

static int keep_token(const char *dir, const char *name, char token[INF_TOKEN_SIZE])
{
    char path[4096];
    char fresh[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    int m = snprintf(fresh, sizeof fresh, "%s/%s.new", dir, name);
    if (n < 0 || m < 0 || (size_t)m >= sizeof fresh)
        return INF_EINVAL;
    int rc = read_file(path, token);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = make(token);
    if (rc < 0)
        return rc;
    int fd = inf_os.open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return inf_os_error(errno);
    rc = inf_os_write_all(fd, token, INF_TOKEN_SIZE - 1);
    if (rc == 0)
        rc = inf_os_write_all(fd, "\n", 1);
    inf_os.close(fd);
    if (rc == 0 && inf_os.rename(fresh, path) < 0)
        rc = inf_os_error(errno);
    return rc;
}

int inf_read_token(const char *dir, char token[INF_TOKEN_SIZE])
{
    return keep_token(dir, "read.token", token);
}

int inf_admin_token(const char *dir, char token[INF_TOKEN_SIZE])
{
    return keep_token(dir, "admin.token", token);
}
