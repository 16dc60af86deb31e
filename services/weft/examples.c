//  examples.c - see examples.h.

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "examples.h"

#include "weft_hash.h"
#include "weft_labels.h"

#include <inttypes.h>
#include <math.h>

struct examples_writer {
    const weft_feature_set_t *set;
    FILE *files[2];  //  base, test
};

static const char *const names[] = { "base.csv", "test.csv" };

static void
write_header (const weft_feature_set_t *set, FILE *file)
{
    fputs ("object,alert_id,class", file);
    for (uint32_t j = 0; j < weft_feature_set_count (set); j++)
        fprintf (file, ",%s", weft_feature_set_feature (set, j)->name);
    fputc ('\n', file);
}

examples_writer_t *
examples_writer_new (const char *dir,
                     const weft_feature_set_t *set,
                     char why[EXAMPLES_WHY])
{
    examples_writer_t *self = calloc (1, sizeof (*self));
    bool made = self && (mkdir (dir, 0755) == 0 || errno == EEXIST);
    for (int i = 0; made && i < 2; i++) {
        char path[PATH_MAX];
        int n = snprintf (path, sizeof (path), "%s/%s", dir, names[i]);
        self->files[i] = n < (int)sizeof (path) ? fopen (path, "w") : NULL;
        made = self->files[i] != NULL;
        if (made)
            write_header (set, self->files[i]);
    }
    if (made) {
        self->set = set;
        return self;
    }
    snprintf (why, EXAMPLES_WHY, "%s: %s", dir, strerror (errno));
    (void)!examples_writer_close (&self);
    return NULL;
}

int
examples_write (examples_writer_t *self,
                const weft_alert_v1_t *alert,
                const char *object_id,
                const char *class,
                const float *values)
{
    char object[WEFT_LABEL_OBJECT];
    int n = snprintf (object, sizeof (object), "%.*s:%s", (int)alert->survey.n,
                      alert->survey.p, object_id);
    if (n >= (int)sizeof (object))
        return WEFT_ERANGE;
    FILE *file = self->files[weft_label_held_out (object, (size_t)n)];
    fprintf (file, "%s,%" PRId64 ",%s", object, alert->alert_id, class);
    for (uint32_t j = 0; j < weft_feature_set_count (self->set); j++)
        if (isfinite (values[j]))
            fprintf (file, ",%.9g", (double)values[j]);
        else
            fputc (',', file);
    return fputc ('\n', file) == EOF ? WEFT_EIO : 0;
}

int
examples_writer_close (examples_writer_t **self_p)
{
    examples_writer_t *self = *self_p;
    int rc = 0;
    *self_p = NULL;
    for (int i = 0; self && i < 2; i++)
        if (self->files[i] &&
            (ferror (self->files[i]) | fclose (self->files[i])))
            rc = WEFT_EIO;
    free (self);
    return rc;
}

//  A file being read: its bytes end with a 0.
typedef struct {
    const weft_feature_set_t *set;
    char *at;
    size_t line;
} reader_t;

//  The next field of the line; *last says that the line ends behind it.
static weft_str_t
next_field (reader_t *self, bool *last)
{
    size_t n = strcspn (self->at, ",\r\n");
    weft_str_t field = { self->at, (uint32_t)n };
    self->at += n;
    *last = *self->at != ',';
    if (!*last)
        self->at++;
    return field;
}

static void
end_line (reader_t *self)
{
    self->at += strcspn (self->at, "\n");
    if (*self->at)
        self->at++;
    self->line++;
}

static int
read_header (reader_t *self)
{
    static const char *const first[] = { "object", "alert_id", "class" };
    bool last = false;
    for (uint32_t i = 0; i < WEFT_COUNT (first); i++)
        if (last || !weft_str_is (next_field (self, &last), first[i]))
            return WEFT_EVERSION;
    for (uint32_t j = 0; j < weft_feature_set_count (self->set); j++)
        if (last ||
            !weft_str_is (next_field (self, &last),
                          weft_feature_set_feature (self->set, j)->name))
            return WEFT_EVERSION;
    return last ? 0 : WEFT_EVERSION;
}

static int
read_value (weft_str_t field, float *value)
{
    char *end;
    *value = NAN;
    if (!field.n)
        return 0;
    *value = strtof (field.p, &end);
    return end == field.p + field.n ? 0 : WEFT_EMALFORMED;
}

static int
read_row (reader_t *self, example_t *example, float *values)
{
    bool last = false;
    uint32_t count = weft_feature_set_count (self->set);
    example->object = next_field (self, &last);
    if (!last)
        (void)next_field (self, &last);
    if (!last)
        example->class = next_field (self, &last);
    for (uint32_t j = 0; j < count; j++) {
        int rc = last ? WEFT_EMALFORMED
                      : read_value (next_field (self, &last), &values[j]);
        if (rc)
            return rc;
    }
    example->values = values;
    bool fits = example->object.n && example->object.n < WEFT_LABEL_OBJECT &&
                example->class.n && example->class.n <= WEFT_LABEL_CLASS;
    return last && fits ? 0 : WEFT_EMALFORMED;
}

static int
read_lines (reader_t *self,
            int (*each) (void *arg, const example_t *example),
            void *arg)
{
    float values[WEFT_FEATURES_MOST];
    int rc = read_header (self);
    while (!rc) {
        end_line (self);
        if (!*self->at)
            return 0;
        example_t example = { .values = NULL };
        rc = read_row (self, &example, values);
        rc = rc ? rc : each (arg, &example);
    }
    return rc;
}

//  `why` on an error.
static int
read_file (const char *path, weft_buf_t *text, char why[EXAMPLES_WHY])
{
    char piece[65536];
    FILE *file = fopen (path, "rb");
    if (!file) {
        snprintf (why, EXAMPLES_WHY, "%.500s: %s", path, strerror (errno));
        return WEFT_EIO;
    }
    errno = 0;
    for (size_t n; (n = fread (piece, 1, sizeof (piece), file)) > 0;)
        weft_buf_add (text, piece, n);
    int rc = ferror (file) ? WEFT_EIO : text->error;
    if (rc)
        snprintf (why, EXAMPLES_WHY, "%.500s: %s", path,
                  errno ? strerror (errno) : weft_error_text (rc));
    fclose (file);
    return rc;
}

int
examples_read (const char *path,
               const weft_feature_set_t *set,
               int (*each) (void *arg, const example_t *example),
               void *arg,
               char sha[65],
               char why[EXAMPLES_WHY])
{
    weft_buf_t text;
    uint8_t digest[32];
    reader_t reader = { .set = set, .line = 1 };
    weft_buf_init (&text, EXAMPLES_MOST);
    int rc = read_file (path, &text, why);
    bool read = !rc;
    if (read) {
        weft_sha256 (text.data, text.size, digest);
        weft_hex (digest, 32, sha);
        weft_buf_add (&text, "", 1);
        reader.at = (char *)text.data;
        rc = text.error ? text.error : read_lines (&reader, each, arg);
    }
    if (read && rc == WEFT_EVERSION)
        snprintf (why, EXAMPLES_WHY, "%s: its columns are not of set %s", path,
                  weft_feature_set_name (set));
    else if (read && rc)
        snprintf (why, EXAMPLES_WHY, "%s, line %zu: %s", path, reader.line,
                  weft_error_text (rc));
    weft_buf_fini (&text);
    return rc;
}
