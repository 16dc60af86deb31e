//  weft_csv.c - reads delimited text, a record at a time.

#include "weft_csv.h"

void
weft_csv_init (weft_csv_t *self, char *data, size_t size, char delimiter)
{
    memset (self, 0, sizeof *self);
    self->at = data;
    self->end = data + size;
    self->delimiter = delimiter;
    self->next_line = 1;
    if (size >= 3 && memcmp (data, "\xef\xbb\xbf", 3) == 0)
        self->at += 3;
}

//  Blanks around fields do not count, unless they delimit.
static bool
is_blank (const weft_csv_t *self, char c)
{
    return (c == ' ' || c == '\t' || c == '\r') && c != self->delimiter;
}

static bool
ends_field (const weft_csv_t *self, const char *at)
{
    return at == self->end || *at == self->delimiter || *at == '\n';
}

static void
add_field (weft_csv_t *self, const char *from, const char *to)
{
    if (self->n_fields < WEFT_CSV_FIELDS)
        self->fields[self->n_fields++] =
            (weft_str_t){ from, (uint32_t)(to - from) };
}

static void
take_plain (weft_csv_t *self, const char *limit)
{
    const char *from = self->at;
    while (!ends_field (self, self->at) && self->at < limit)
        self->at++;
    const char *to = self->at;
    while (to > from && is_blank (self, to[-1]))
        to--;
    add_field (self, from, to);
}

//  Behind the opening quote; closes up the bytes over doubled quotes.
static int
take_quoted (weft_csv_t *self, const char *limit)
{
    char *from = self->at, *to = from;
    for (;; self->at++) {
        if (self->at == self->end)
            return WEFT_EMALFORMED;
        if (self->at >= limit)
            return WEFT_ETOOBIG;
        if (*self->at == '"') {
            if (self->at + 1 == self->end || self->at[1] != '"')
                break;
            self->at++;
        } else if (*self->at == '\n')
            self->next_line++;
        *to++ = *self->at;
    }
    self->at++;
    while (!ends_field (self, self->at) && is_blank (self, *self->at))
        self->at++;
    if (!ends_field (self, self->at))
        return WEFT_EMALFORMED;
    add_field (self, from, to);
    return 0;
}

static int
take_record (weft_csv_t *self)
{
    size_t left = (size_t)(self->end - self->at);
    const char *limit = self->at + WEFT_MIN (left, WEFT_CSV_RECORD);
    self->n_fields = 0;
    self->line = self->next_line++;
    for (;;) {
        while (!ends_field (self, self->at) && is_blank (self, *self->at))
            self->at++;
        if (self->at < self->end && *self->at == '"') {
            self->at++;
            int rc = take_quoted (self, limit);
            if (rc)
                return rc;
        } else
            take_plain (self, limit);
        if (self->at >= limit && self->at < self->end)
            return WEFT_ETOOBIG;
        if (self->at == self->end)
            return 0;
        if (*self->at++ == '\n')
            return 0;
    }
}

int
weft_csv_next (weft_csv_t *self)
{
    while (self->at < self->end) {
        int rc = take_record (self);
        if (rc)
            return rc;
        if (self->n_fields > 1 || self->fields[0].n > 0)
            return 1;
    }
    return 0;
}
