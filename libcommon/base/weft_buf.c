//  weft_buf.c - a growing run of bytes with a ceiling.

#include "weft_buf.h"

#include <stdarg.h>

void
weft_buf_init (weft_buf_t *self, size_t ceiling)
{
    *self = (weft_buf_t){ .ceiling = ceiling };
}

void
weft_buf_fini (weft_buf_t *self)
{
    free (self->data);
    *self = (weft_buf_t){ 0 };
}

void
weft_buf_clear (weft_buf_t *self)
{
    self->size = 0;
    self->error = 0;
}

static int
reserve (weft_buf_t *self, size_t size)
{
    if (self->error)
        return self->error;
    if (size > self->ceiling - self->size)
        return self->error = WEFT_ETOOBIG;
    size_t need = self->size + size;
    if (need <= self->room)
        return 0;
    size_t room = WEFT_MAX (need, self->room * 2);
    room = WEFT_MIN (WEFT_MAX (room, 256), self->ceiling);
    uint8_t *data = realloc (self->data, room);
    if (!data)
        return self->error = WEFT_ENOMEM;
    self->data = data;
    self->room = room;
    return 0;
}

uint8_t *
weft_buf_grow (weft_buf_t *self, size_t size)
{
    if (reserve (self, size))
        return NULL;
    uint8_t *at = self->data + self->size;
    self->size += size;
    return at;
}

void
weft_buf_add (weft_buf_t *self, const void *data, size_t size)
{
    if (size == 0)
        return;
    uint8_t *at = weft_buf_grow (self, size);
    if (at)
        memcpy (at, data, size);
}

void
weft_buf_addf (weft_buf_t *self, const char *format, ...)
{
    va_list args, again;
    if (self->error)
        return;
    va_start (args, format);
    va_copy (again, args);
    //  vsnprintf writes one byte more, the terminator, which is not kept. What
    //  does not fit is written again when there is room.
    size_t left = self->room - self->size;
    char *at = left > 0 ? (char *)self->data + self->size : NULL;
    int size = vsnprintf (at, left, format, args);
    va_end (args);
    if (size >= 0 && (size_t)size >= left) {
        if (reserve (self, (size_t)size + 1))
            size = -1;
        else
            vsnprintf ((char *)self->data + self->size, (size_t)size + 1,
                       format, again);
    }
    if (size > 0)
        self->size += (size_t)size;
    va_end (again);
}

uint8_t *
weft_buf_release (weft_buf_t *self, size_t *size)
{
    uint8_t *data = self->data;
    *size = self->size;
    weft_buf_init (self, self->ceiling);
    return data;
}
