/* Where a client's journals are kept: INFINIUM_JOURNAL_DIR, else $XDG_STATE_HOME/infinium/journal, else
 * ~/.local/state/infinium/journal, and in it one directory per agent.
 *
 * An agent id is arbitrary text; as the name of a directory, letters, digits, '-' and '_' stay, every other byte
 * becomes %XX, and a long name is cut and ends in "~" and a hash of the whole. Two ids never share a name except by
 * collision of a 64-bit hash between names of more than 100 characters. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/os.h"
#include "client/client.h"

#define MAX_PATH_BYTES 4096
#define MAX_NAME_BYTES 100
#define CUT_NAME_BYTES 80

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static void put_home(inf_buf *path)
{
    const char *home = environment("HOME");
    if (home) {
        inf_buf_put_text(path, home);
        return;
    }
    struct passwd entry;
    struct passwd *found = NULL;
    char text[4096];
    if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) == 0 && found && found->pw_dir && *found->pw_dir)
        inf_buf_put_text(path, found->pw_dir);
    else
        path->error = INF_ENOTFOUND;
}

static uint64_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

static void put_agent_name(inf_buf *path, const char *id)
{
    size_t start = path->length;
    for (const char *p = id; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (path->length - start > MAX_NAME_BYTES - 3 || path->error)
            break;
        if (safe)
            inf_buf_put_byte(path, c);
        else
            inf_buf_printf(path, "%%%02X", c);
        if (p[1] == '\0')
            return;
    }
    if (path->error)
        return;
    path->length = start + CUT_NAME_BYTES;
    inf_buf_printf(path, "~%016llx", (unsigned long long)hash(id));
}

bool inf_journal_in_memory(int option)
{
    const char *value = getenv("INFINIUM_JOURNAL");
    return option == 1 || (value && strcasecmp(value, "memory") == 0);
}

char *inf_journal_directory(const char *configured, const char *agent_id, int *error)
{
    inf_buf path;
    inf_buf_init(&path, MAX_PATH_BYTES);
    const char *value;
    if ((value = configured) || (value = environment("INFINIUM_JOURNAL_DIR"))) {
        inf_buf_put_text(&path, value);
    } else if ((value = environment("XDG_STATE_HOME")) && *value == '/') {
        inf_buf_put_text(&path, value);
        inf_buf_put_text(&path, "/infinium/journal");
    } else {
        put_home(&path);
        inf_buf_put_text(&path, "/.local/state/infinium/journal");
    }
    inf_buf_put_byte(&path, '/');
    put_agent_name(&path, agent_id);
    *error = path.error;
    char *text = inf_buf_take(&path, NULL);
    inf_buf_free(&path);
    return text;
}
