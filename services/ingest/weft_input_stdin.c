//  weft_input_stdin.c - standard input as messages.
//
//  Nothing can be read a second time: a restart is another input.

#include <unistd.h>

#include "weft_bundle.h"
#include "weft_hash.h"
#include "weft_time.h"

typedef struct {
    weft_input_t input;  //  first: what callers hold
    weft_bundle_t *bundle;
    weft_place_t next;
    uint64_t identity;
    char why[WEFT_INPUT_WHY];
} stdin_t;

static int
stdin_next (weft_input_t *input, weft_message_t *message)
{
    stdin_t *self = (stdin_t *)(void *)input;
    weft_piece_t piece;
    if (!weft_bundle_next (self->bundle, &piece))
        return 0;
    if (piece.why)
        snprintf (self->why, sizeof (self->why), "standard input: %.480s",
                  piece.why);
    *message = (weft_message_t){
        .place = self->next,
        .path = "-",
        .archived = true,
        .entry = piece.entry,
        .data = piece.data,
        .size = piece.size,
        .why = piece.why ? self->why : NULL,
    };
    return 1;
}

static void
stdin_advance (weft_input_t *input, uint64_t items)
{
    stdin_t *self = (stdin_t *)(void *)input;
    self->next.offset += (int64_t)items;
    self->next.item += items;
    self->next.entry++;
}

static int
stdin_seek (weft_input_t *input, const weft_place_t *place)
{
    (void)input;
    return place->offset ? WEFT_ENOENT : 0;
}

static uint64_t
stdin_identity (const weft_input_t *input)
{
    return ((const stdin_t *)(const void *)input)->identity;
}

static void
stdin_destroy (weft_input_t **self_p)
{
    stdin_t *self = (stdin_t *)(void *)*self_p;
    weft_bundle_destroy (&self->bundle);
    free (self);
    *self_p = NULL;
}

weft_input_t *
weft_input_stdin (int fd, char why[WEFT_INPUT_WHY])
{
    char reason[WEFT_INPUT_WHY] = "";
    stdin_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_INPUT_WHY, "out of memory");
        return NULL;
    }
    self->input = (weft_input_t){ .next = stdin_next,
                                  .advance = stdin_advance,
                                  .seek = stdin_seek,
                                  .identity = stdin_identity,
                                  .destroy = stdin_destroy };
    weft_input_t *input = &self->input;
    self->identity =
        weft_hash_u64 ((uint64_t)weft_time_ns () ^ (uint64_t)getpid () << 40 ^
                       (uint64_t)(weft_time_utc () * 1e6));
    self->bundle = weft_bundle_new (fd, reason);
    if (self->bundle)
        return input;
    snprintf (why, WEFT_INPUT_WHY, "standard input: %.480s", reason);
    stdin_destroy (&input);
    return NULL;
}
