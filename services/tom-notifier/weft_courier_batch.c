//  weft_courier_batch.c - rows with copies of their texts, and their answers.

#include "weft_courier_batch.h"

#define ARENA_MOST (512u << 20)  //  bytes of one batch's texts

void
weft_courier_batch_init (weft_courier_batch_t *self)
{
    memset (self, 0, sizeof *self);
    weft_buf_init (&self->arena, ARENA_MOST);
}

void
weft_courier_batch_fini (weft_courier_batch_t *self)
{
    free (self->rows);
    free (self->answers);
    weft_buf_fini (&self->arena);
}

void
weft_courier_batch_clear (weft_courier_batch_t *self)
{
    self->n = 0;
    self->error = 0;
    weft_buf_clear (&self->arena);
}

static bool
grow (weft_courier_batch_t *self)
{
    if (self->n < self->room)
        return true;
    uint32_t room = self->room ? 2 * self->room : 64;
    weft_row_t *rows = realloc (self->rows, room * sizeof *rows);
    if (rows)
        self->rows = rows;
    weft_answer_t *answers = realloc (self->answers, room * sizeof *answers);
    if (answers)
        self->answers = answers;
    if (!rows || !answers)
        return false;
    self->room = room;
    return true;
}

//  Offsets for now: the arena moves while it grows.
static const char *
keep_text (weft_courier_batch_t *self, const char *text, size_t size)
{
    size_t at = self->arena.size;
    weft_buf_add (&self->arena, text, size);
    weft_buf_add (&self->arena, "", 1);
    return (const char *)at;  // NOLINT: an offset until fix
}

void
weft_courier_batch_take (void *arg, const weft_row_t *row)
{
    weft_courier_batch_t *self = arg;
    if (!grow (self)) {
        self->error = WEFT_ENOMEM;
        return;
    }
    weft_row_t *copy = &self->rows[self->n];
    *copy = *row;
    copy->key = keep_text (self, row->key, strlen (row->key));
    copy->object = keep_text (self, row->object, strlen (row->object));
    copy->payload = keep_text (self, row->payload, row->payload_size);
    if (self->arena.error)
        self->error = self->arena.error;
    else
        self->n++;
}

//  Turns offsets into pointers, once the arena stands still.
void
weft_courier_batch_fix (weft_courier_batch_t *self)
{
    const char *base = (const char *)self->arena.data;
    for (uint32_t i = 0; i < self->n; i++) {
        weft_row_t *row = &self->rows[i];
        row->key = base + (uintptr_t)row->key;
        row->object = base + (uintptr_t)row->object;
        row->payload = base + (uintptr_t)row->payload;
    }
}

int
weft_courier_batch_answer (weft_courier_batch_t *self,
                           int64_t id,
                           const weft_answer_t *answer)
{
    if (!grow (self))
        return WEFT_ENOMEM;
    self->rows[self->n] = (weft_row_t){ .id = id };
    self->answers[self->n++] = *answer;
    return 0;
}
