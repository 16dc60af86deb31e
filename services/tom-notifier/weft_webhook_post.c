//  weft_webhook_post.c - POST requests in a thread of their own.

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include "weft_time.h"
#include "weft_webhook_post.h"
#include "weft_webhook_request.h"

#define STACK (512u << 10)
#define IDLE_MS 1000

//  A row on its way. One allocation with its texts behind it.
typedef struct job {
    struct job *next;
    int64_t id;
    uint32_t attempts;
    char *key, *object, *body;
    size_t size;
    weft_answer_t answer;
} job_t;

typedef struct {
    job_t *first, **last;
} queue_t;

typedef struct {
    job_t *job;  //  NULL: free
    weft_request_t request;
} slot_t;

struct weft_poster {
    weft_poster_config_t config;  //  with texts of our own
    bool running;
    pthread_t thread;
    CURLM *multi;
    slot_t slots[WEFT_POST_PARALLEL_MOST];  //  of the thread
    int64_t next_ns;                        //  when the next may start

    pthread_mutex_t lock;  //  of what follows
    queue_t waiting, answered;
    uint32_t failed;  //  answers of a failing sink that were not collected yet
    bool stop;
};

static void
queue_init (queue_t *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void
queue_add (queue_t *queue, job_t *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

static job_t *
queue_take (queue_t *queue, job_t **at)
{
    job_t *job = *at;
    *at = job->next;
    if (!*at)
        queue->last = at;
    return job;
}

//  Puts a job under way. False: no request can be made.
static bool
start_job (weft_poster_t *self, slot_t *slot, job_t *job)
{
    const weft_row_t row = { .key = job->key,
                             .payload = job->body,
                             .payload_size = job->size,
                             .attempts = job->attempts };
    CURL *easy = weft_request_begin (&slot->request, &self->config, &row);
    if (!easy || curl_multi_add_handle (self->multi, easy) != CURLM_OK)
        return false;
    slot->job = job;
    curl_easy_setopt (easy, CURLOPT_PRIVATE, slot);
    return true;
}

static bool
is_under_way (const weft_poster_t *self, const char *object)
{
    for (uint32_t i = 0; i < self->config.parallel; i++)
        if (self->slots[i].job && !strcmp (self->slots[i].job->object, object))
            return true;
    return false;
}

static slot_t *
free_slot (weft_poster_t *self)
{
    for (uint32_t i = 0; i < self->config.parallel; i++)
        if (!self->slots[i].job)
            return &self->slots[i];
    return NULL;
}

//  Answers a waiting job without having sent it.
static void
hand_back (weft_poster_t *self, job_t **at, double wait_s)
{
    job_t *job = queue_take (&self->waiting, at);
    job->answer = (weft_answer_t){ .sent = WEFT_SENT_RETRY,
                                   .wait_s = wait_s,
                                   .row_only = true,
                                   .unsent = true };
    queue_add (&self->answered, job);
}

static void
hand_back_all (weft_poster_t *self)
{
    while (self->waiting.first)
        hand_back (self, &self->waiting.first, 0);
}

//  Does this answer say that the sink as a whole fails?
static bool
is_failure (const weft_answer_t *answer)
{
    return !answer->row_only && (answer->sent == WEFT_SENT_RETRY ||
                                 answer->sent == WEFT_SENT_VERIFY);
}

//  Starts what may start, in order. Returns how long to sleep, ms.
static int
start_jobs (weft_poster_t *self)
{
    slot_t *slot;
    //  Rows may come between a failure and its owner's knowing of it: none of
    //  them goes out into the pause.
    if (self->failed)
        hand_back_all (self);
    job_t **at = &self->waiting.first;
    while (*at && (slot = free_slot (self))) {
        int64_t left = self->next_ns - weft_time_ns ();
        if (left > 0)
            return (int)WEFT_MIN (left / 1000000 + 1, IDLE_MS);
        if (is_under_way (self, (*at)->object)) {
            at = &(*at)->next;
            continue;
        }
        job_t *job = queue_take (&self->waiting, at);
        if (!start_job (self, slot, job)) {
            job->answer = (weft_answer_t){ .sent = WEFT_SENT_RETRY,
                                           .body = "no request can be made" };
            self->failed++;
            queue_add (&self->answered, job);
            hand_back_all (self);
            break;
        }
        if (self->config.rate > 0)
            self->next_ns =
                weft_time_ns () + (int64_t)(1e9 / self->config.rate);
    }
    return IDLE_MS;
}

//  Ends a request; those that depend on it come back with it.
static void
end_job (weft_poster_t *self, slot_t *slot, CURLcode code)
{
    job_t *job = slot->job;
    weft_request_judge (&slot->request, &self->config, code, job->attempts,
                        &job->answer);
    curl_multi_remove_handle (self->multi, slot->request.easy);
    slot->job = NULL;
    const weft_answer_t *answer = &job->answer;
    bool failed =
        answer->sent == WEFT_SENT_RETRY || answer->sent == WEFT_SENT_VERIFY;
    pthread_mutex_lock (&self->lock);
    if (is_failure (answer)) {
        self->failed++;
        hand_back_all (self);
    }
    for (job_t **at = &self->waiting.first; failed && *at;)
        if (!strcmp ((*at)->object, job->object))
            hand_back (self, at, answer->wait_s);
        else
            at = &(*at)->next;
    queue_add (&self->answered, job);
    pthread_mutex_unlock (&self->lock);
}

static bool
end_finished (weft_poster_t *self)
{
    CURLMsg *message;
    bool any = false;
    int left;
    while ((message = curl_multi_info_read (self->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *slot = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo (message->easy_handle, CURLINFO_PRIVATE, &slot);
        end_job (self, (slot_t *)(void *)slot, code);
        any = true;
    }
    return any;
}

static void *
run (void *arg)
{
    weft_poster_t *self = arg;
    for (;;) {
        pthread_mutex_lock (&self->lock);
        bool stop = self->stop;
        int sleep_ms = stop ? 0 : start_jobs (self);
        pthread_mutex_unlock (&self->lock);
        if (stop)
            return NULL;
        int busy;
        curl_multi_perform (self->multi, &busy);
        //  What has ended makes room: look again at once.
        if (end_finished (self))
            sleep_ms = 0;
        curl_multi_poll (self->multi, NULL, 0, sleep_ms, NULL);
    }
}

//  Signals are for the loop's thread.
static int
start_thread (weft_poster_t *self)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (!self->multi)
        self->multi = curl_multi_init ();
    if (!self->multi || pthread_attr_init (&attributes))
        return WEFT_EAGAIN;
    curl_multi_setopt (self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                       (long)self->config.parallel);
    curl_multi_setopt (self->multi, CURLMOPT_MAXCONNECTS,
                       (long)self->config.parallel);
    pthread_attr_setstacksize (&attributes, STACK);
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    self->stop = false;
    int rc = pthread_create (&self->thread, &attributes, run, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    pthread_attr_destroy (&attributes);
    self->running = rc == 0;
    return rc ? WEFT_EAGAIN : 0;
}

static char *
copy_text (char **at, const char *text, size_t size)
{
    char *copy = *at;
    memcpy (copy, text, size);
    copy[size] = 0;
    *at += size + 1;
    return copy;
}

int
weft_poster_send (weft_poster_t *self, const weft_row_t *row)
{
    int rc = self->running ? 0 : start_thread (self);
    if (rc)
        return rc;
    size_t key = strlen (row->key), object = strlen (row->object);
    job_t *job = malloc (sizeof *job + key + object + row->payload_size + 3);
    if (!job)
        return WEFT_ENOMEM;
    char *at = (char *)(job + 1);
    *job = (job_t){ .id = row->id,
                    .attempts = row->attempts + 1,
                    .size = row->payload_size };
    job->key = copy_text (&at, row->key, key);
    job->object = copy_text (&at, row->object, object);
    job->body = copy_text (&at, row->payload, row->payload_size);
    pthread_mutex_lock (&self->lock);
    queue_add (&self->waiting, job);
    pthread_mutex_unlock (&self->lock);
    curl_multi_wakeup (self->multi);
    return 0;
}

bool
weft_poster_collect (weft_poster_t *self, int64_t *id, weft_answer_t *answer)
{
    pthread_mutex_lock (&self->lock);
    job_t *job = NULL;
    if (self->answered.first)
        job = queue_take (&self->answered, &self->answered.first);
    if (job && is_failure (&job->answer)) {
        hand_back_all (self);
        self->failed--;
    }
    pthread_mutex_unlock (&self->lock);
    if (!job)
        return false;
    *id = job->id;
    *answer = job->answer;
    free (job);
    return true;
}

void
weft_poster_hold (weft_poster_t *self)
{
    pthread_mutex_lock (&self->lock);
    hand_back_all (self);
    pthread_mutex_unlock (&self->lock);
}

void
weft_poster_rest (weft_poster_t *self)
{
    if (!self->running)
        return;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    hand_back_all (self);
    pthread_mutex_unlock (&self->lock);
    curl_multi_wakeup (self->multi);
    pthread_join (self->thread, NULL);
    self->running = false;
    for (uint32_t i = 0; i < self->config.parallel; i++)
        if (self->slots[i].job)
            end_job (self, &self->slots[i], CURLE_ABORTED_BY_CALLBACK);
}

static void
free_config (weft_poster_config_t *config)
{
    free ((char *)(uintptr_t)config->url);
    free ((char *)(uintptr_t)config->secret);
    free ((char *)(uintptr_t)config->token);
    free ((char *)(uintptr_t)config->ca_file);
}

weft_poster_t *
weft_poster_new (const weft_poster_config_t *config)
{
    //  Once, before the first thread of ours that uses it.
    static bool ready;
    if (!ready && curl_global_init (CURL_GLOBAL_DEFAULT))
        return NULL;
    ready = true;
    weft_poster_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    queue_init (&self->waiting);
    queue_init (&self->answered);
    pthread_mutex_init (&self->lock, NULL);
    self->config = *config;
    self->config.url = strdup (config->url);
    self->config.secret = strdup (config->secret);
    self->config.token = strdup (config->token);
    self->config.ca_file = strdup (config->ca_file);
    if (!self->config.url || !self->config.secret || !self->config.token ||
        !self->config.ca_file)
        weft_poster_destroy (&self);
    return self;
}

void
weft_poster_destroy (weft_poster_t **self_p)
{
    weft_poster_t *self = *self_p;
    if (!self)
        return;
    weft_poster_rest (self);
    for (uint32_t i = 0; i < self->config.parallel; i++)
        weft_request_fini (&self->slots[i].request);
    if (self->multi)
        curl_multi_cleanup (self->multi);
    while (self->answered.first)
        free (queue_take (&self->answered, &self->answered.first));
    pthread_mutex_destroy (&self->lock);
    free_config (&self->config);
    free (self);
    *self_p = NULL;
}
