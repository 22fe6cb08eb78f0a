/* See call.h. Each thread has a handle of its own, which holds its connections, until the thread ends. A forked child
 * leaves the handle that it inherited alone: closing it would say goodbye on the parent's connections. */
#include "send/call.h"

#include <pthread.h>

#include "infinium.h"
#include "send/sender.h"

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static _Thread_local CURL *thread_easy;
static _Thread_local unsigned thread_generation;

static void thread_ends(void *value)
{
    if (thread_generation == inf_generation())
        inf_curl()->easy_cleanup(value);
    thread_easy = NULL;
}

static void make_key(void)
{
    have_key = pthread_key_create(&key, thread_ends) == 0;
}

static CURL *thread_handle(const struct inf_curl *c)
{
    if (thread_easy && thread_generation == inf_generation())
        return thread_easy;
    pthread_once(&once, make_key);
    thread_easy = c->easy_init();
    thread_generation = inf_generation();
    if (thread_easy && have_key)
        (void)pthread_setspecific(key, thread_easy);
    return thread_easy;
}

int inf_http_call(const inf_http_request *request, inf_http_answer *answer)
{
    const struct inf_curl *c = inf_curl();
    if (!c)
        return answer->error = INF_ESYS;
    CURL *easy = thread_handle(c);
    struct curl_slist *headers = easy ? inf_http_prepare(c, easy, request, answer) : NULL;
    if (!headers)
        return answer->error = INF_ENOMEM;
    CURLcode result = c->easy_perform(easy);
    inf_http_conclude(c, easy, result, answer);
    c->slist_free_all(headers);
    return answer->error;
}
