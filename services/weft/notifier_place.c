//  notifier_place.c - where the notifier's outbox is.

#include <sys/stat.h>
#include <unistd.h>

#include "notifier_place.h"
#include "weft_cli.h"

static bool
take (notifier_place_t *self, const char *path, size_t size)
{
    if (size >= sizeof self->path)
        return false;
    snprintf (self->path, sizeof self->path, "%.*s", (int)size, path);
    snprintf (self->record, sizeof self->record, "%s.record", self->path);
    return access (self->path, R_OK) == 0;
}

//  Of several on this machine, the one that was written to last.
static void
take_newest (notifier_place_t *self, const weft_reply_t *places)
{
    notifier_place_t one = *self;
    time_t newest = 0;
    for (size_t i = 0; i < weft_reply_count (places); i++) {
        weft_bin_t path = weft_reply_bytes (weft_reply_at (places, i));
        struct stat status;
        if (!path.p || !take (&one, (const char *)path.p, path.n) ||
            stat (one.record, &status) || status.st_mtime < newest)
            continue;
        newest = status.st_mtime;
        *self = one;
    }
}

static int
ask_redis (notifier_place_t *self, const char *command)
{
    int code = 0;
    self->path[0] = 0;
    weft_redis_t *redis = weft_cli_redis (command, self->redis, &code);
    if (!redis)
        return code;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    int rc = batch ? 0 : WEFT_ENOMEM;
    if (!rc) {
        weft_batch_words (batch, "HKEYS", "notifier:places");
        rc = weft_batch_run (batch);
    }
    if (!rc)
        take_newest (self, weft_batch_reply (batch, 0));
    code = rc ? weft_cli_lost (command, "cannot ask Redis", redis, rc) : 0;
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    return code;
}

int
notifier_place_find (notifier_place_t *self, const char *command)
{
    char path[PATH_MAX];
    const char *folder = getenv ("WEFT__SERVICE__DATA_DIR");
    if (self->outbox) {
        if (take (self, self->outbox, strlen (self->outbox)))
            return 0;
        fprintf (stderr, "weft %s: %s cannot be read\n", command, self->outbox);
        return 1;
    }
    snprintf (path, sizeof path, "%s/outbox.db", folder ? folder : "");
    if (folder && take (self, path, strlen (path)))
        return 0;
    int code = ask_redis (self, command);
    if (!code && !self->path[0]) {
        fprintf (stderr,
                 "weft %s: no notifier has its outbox on this machine; run it "
                 "there,\nor name the file by --outbox\n",
                 command);
        code = 1;
    }
    return code;
}

json_t *
notifier_place_state (const notifier_place_t *self, char *why, size_t room)
{
    char path[PATH_MAX + 40];
    json_error_t error;
    snprintf (path, sizeof path, "%s/filters.json", self->record);
    json_t *state = json_load_file (path, 0, &error);
    if (!state)
        snprintf (why, room, "%s: %s", path, error.text);
    return state;
}

bool
notifier_place_has (json_t *state, const char *filter)
{
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get (state, "filters"), i, one)
    {
        const char *name = json_string_value (json_object_get (one, "name"));
        if (name && strcmp (name, filter) == 0)
            return true;
    }
    return false;
}
