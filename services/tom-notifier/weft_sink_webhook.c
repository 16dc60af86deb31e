//  weft_sink_webhook.c - rows as signed POST requests to one URL.
//
//  The peer cannot be asked what it has, so a row in doubt is sent again with
//  the same key and the same bytes: whoever receives it drops what it has.

#include <errno.h>

#include "weft_buf.h"
#include "weft_sink.h"
#include "weft_webhook_post.h"
#include "weft_webhook_rules.h"

#define ROOM 256         //  rows that are handed over at most
#define SECRET_LEAST 16  //  characters
#define SECRET_MOST 1024

typedef struct {
    weft_poster_t *poster;
    uint32_t handed;  //  rows that have no answer yet
} webhook_t;

//  The first line of a file. Returns new, NULL with `why`.
static char *
read_secret (const char *path, const char *option, char *why, size_t room)
{
    char line[SECRET_MOST + 2];
    FILE *file = fopen (path, "re");
    if (!file) {
        snprintf (why, room, "%s %s: %s", option, path, strerror (errno));
        return NULL;
    }
    char *text = fgets (line, sizeof line, file);
    fclose (file);
    if (text)
        line[strcspn (line, "\r\n")] = 0;
    char *copy = text && strlen (line) <= SECRET_MOST ? strdup (line) : NULL;
    if (!copy)
        snprintf (why, room,
                  "%s %s: one line of at most %d characters is "
                  "expected",
                  option, path, SECRET_MOST);
    memset (line, 0, sizeof line);
    return copy;
}

//  Either of the two, a file or the text itself.
static char *
read_url (const weft_sink_option_t *option, char *why, size_t room)
{
    bool filed = option->url_file && *option->url_file;
    const char *given = option->url ? option->url : "";
    if (filed == (*given != 0)) {
        snprintf (why, room, "url or url_file is expected");
        return NULL;
    }
    char *url = filed ? read_secret (option->url_file, "url_file", why, room)
                      : strdup (given);
    if (url && strncmp (url, "https://", 8) && strncmp (url, "http://", 7)) {
        snprintf (why, room, "url: https://... or http://... is expected");
        free (url);
        return NULL;
    }
    return url;
}

static int
read_texts (const weft_sink_option_t *option,
            char *texts[3],
            char *why,
            size_t room)
{
    const char *token = option->token_file ? option->token_file : "";
    texts[0] = read_url (option, why, room);
    if (!texts[0])
        return WEFT_ECONFIG;
    if (!option->secret_file || !*option->secret_file) {
        snprintf (why, room, "secret_file is expected: requests are signed");
        return WEFT_ECONFIG;
    }
    texts[1] = read_secret (option->secret_file, "secret_file", why, room);
    if (!texts[1])
        return WEFT_ECONFIG;
    if (strlen (texts[1]) < SECRET_LEAST) {
        snprintf (why, room,
                  "secret_file %s: at least %d characters are "
                  "expected",
                  option->secret_file, SECRET_LEAST);
        return WEFT_ECONFIG;
    }
    texts[2] =
        *token ? read_secret (token, "token_file", why, room) : strdup ("");
    return texts[2] ? 0 : WEFT_ECONFIG;
}

static int
open_sink (void **self_p,
           const weft_sink_option_t *option,
           char *why,
           size_t room)
{
    char *texts[3] = { NULL, NULL, NULL };
    int rc = read_texts (option, texts, why, room);
    webhook_t *self = rc ? NULL : calloc (1, sizeof *self);
    if (self) {
        weft_poster_config_t config = {
            .url = texts[0],
            .secret = texts[1],
            .token = texts[2],
            .ca_file = option->ca_file ? option->ca_file : "",
            .parallel = (uint32_t)WEFT_MAX (1, option->parallel),
            .tries = (uint32_t)WEFT_MAX (1, option->tries),
            .rate = option->rate,
            .connect_ms = option->connect_ms,
            .timeout_ms = option->timeout_ms,
        };
        config.parallel = WEFT_MIN (config.parallel, WEFT_POST_PARALLEL_MOST);
        self->poster = weft_poster_new (&config);
    }
    if (!rc && (!self || !self->poster)) {
        free (self);
        self = NULL;
        rc = WEFT_ENOMEM;
    }
    for (size_t i = 0; i < WEFT_COUNT (texts); i++)
        free (texts[i]);
    *self_p = self;
    return rc;
}

static void
close_sink (void **self_p)
{
    webhook_t *self = *self_p;
    weft_poster_destroy (&self->poster);
    free (self);
    *self_p = NULL;
}

static void
hand_over (void *arg,
           const weft_row_t *rows,
           uint32_t n,
           weft_answer_t *answers)
{
    webhook_t *self = arg;
    for (uint32_t i = 0; i < n; i++) {
        answers[i] = (weft_answer_t){ .sent = WEFT_SENT_LATER };
        if (weft_poster_send (self->poster, &rows[i]))
            answers[i] = (weft_answer_t){ .sent = WEFT_SENT_RETRY,
                                          .unsent = true,
                                          .body = "no memory or thread" };
        else
            self->handed++;
    }
}

static uint32_t
room_of (const void *arg)
{
    const webhook_t *self = arg;
    return ROOM - self->handed;
}

static bool
collect (void *arg, int64_t *id, weft_answer_t *answer)
{
    webhook_t *self = arg;
    bool any = weft_poster_collect (self->poster, id, answer);
    self->handed -= any;
    return any;
}

static uint32_t
hold (void *arg)
{
    webhook_t *self = arg;
    weft_poster_hold (self->poster);
    return self->handed;
}

static void
rest (void *arg)
{
    webhook_t *self = arg;
    weft_poster_rest (self->poster);
}

static int
send_again (void *arg WEFT_UNUSED,
            const weft_row_t *rows,
            uint32_t n,
            weft_answer_t *answers)
{
    for (uint32_t i = 0; i < n; i++)
        answers[i] = (weft_answer_t){
            .sent = WEFT_SENT_RETRY,
            .row_only = true,
            .wait_s = rows[i].attempts > 1
                          ? weft_webhook_backoff (rows[i].attempts)
                          : 0,
            .body = "sent, no answer; sent again with its key",
        };
    return 0;
}

const weft_sink_kind_t weft_sink_webhook = {
    .kind = "webhook",
    .backoff_most_ms = 900000,
    .open = open_sink,
    .send = hand_over,
    .verify = send_again,
    .close = close_sink,
    .room = room_of,
    .collect = collect,
    .hold = hold,
    .rest = rest,
};
