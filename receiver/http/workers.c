/* Threads for what may wait: reads of the store and the slow hash. The queue is bounded; what does not fit is refused.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "http/request.h"
#include "infinium.h"

enum { THREADS = 2, QUEUE_MAX = 512 };

struct inf_workers {
    pthread_mutex_t lock;
    pthread_cond_t work;
    inf_request *first;
    inf_request **last;
    unsigned queued;
    bool stopping;
    int running;
    pthread_t threads[THREADS];
    inf_worker own[THREADS];
    struct start {
        inf_workers *workers;
        int index;
    } starts[THREADS];
};

static void *run(void *context)
{
    struct start *start = context;
    inf_workers *w = start->workers;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        while (!w->first && !w->stopping)
            pthread_cond_wait(&w->work, &w->lock);
        inf_request *request = w->first;
        if (request) {
            w->first = request->next;
            if (!w->first)
                w->last = &w->first;
            w->queued--;
        }
        pthread_mutex_unlock(&w->lock);
        if (!request)
            return NULL;
        request->work(request, &w->own[start->index]);
    }
}

int inf_workers_start(inf_workers **out, inf_receiver *receiver)
{
    inf_workers *w = calloc(1, sizeof *w);
    if (!w)
        return INF_ENOMEM;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    int rc = 0;
    for (int i = 0; rc == 0 && i < THREADS; i++) {
        rc = inf_store_open(&w->own[i].store, receiver->directory.path, 0);
        w->starts[i] = (struct start){w, i};
        if (rc == 0 && pthread_create(&w->threads[i], NULL, run, &w->starts[i]) != 0)
            rc = INF_ESYS;
        if (rc == 0)
            w->running++;
    }
    if (rc < 0) {
        inf_workers_close(w);
        w = NULL;
    }
    *out = w;
    return rc;
}

int inf_workers_submit(inf_workers *w, inf_request *request)
{
    request->next = NULL;
    pthread_mutex_lock(&w->lock);
    int rc = w->stopping ? INF_ECLOSED : w->queued >= QUEUE_MAX ? INF_EFULL : 0;
    if (rc == 0) {
        *w->last = request;
        w->last = &request->next;
        w->queued++;
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void inf_workers_stop(inf_workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->running; i++)
        pthread_join(w->threads[i], NULL);
    w->running = 0;
}

void inf_workers_close(inf_workers *w)
{
    if (!w)
        return;
    inf_workers_stop(w);
    for (int i = 0; i < THREADS; i++)
        inf_store_close(w->own[i].store);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
