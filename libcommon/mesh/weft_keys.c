//  weft_keys.c - reads a folder of keys.

#include <zmq.h>

#include "weft_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MOST = 256, STAGE_ROOM = 65, KEY_BYTES = 32, PATH_MOST = 512 };

typedef struct {
    char key[WEFT_KEY_ROOM];
    char stage[STAGE_ROOM];
} entry_t;

struct weft_keys {
    atomic_uint refs;
    char public_key[WEFT_KEY_ROOM];
    char secret_key[WEFT_KEY_ROOM];
    size_t n;
    entry_t *entries;  //  room for WEFT_KEYS_MOST
};

typedef struct {
    const char *path;
    FILE *file;
    unsigned line;
    char *why;
    size_t room;
} reader_t;

static int
complain (const reader_t *reader, const char *what)
{
    if (reader->line)
        snprintf (reader->why, reader->room, "%s: line %u: %s", reader->path,
                  reader->line, what);
    else
        snprintf (reader->why, reader->room, "%s: %s", reader->path, what);
    return WEFT_ECONFIG;
}

static bool
is_key (const char *text)
{
    uint8_t bytes[KEY_BYTES];
    return strlen (text) == WEFT_KEY_ROOM - 1 && zmq_z85_decode (bytes, text);
}

//  The next line that says something, without its comment; false at the end.
static bool
next_line (reader_t *reader, char line[LINE_MOST])
{
    while (fgets (line, LINE_MOST, reader->file)) {
        reader->line++;
        //  '#' is a character of Z85, too: a comment has a blank before it.
        char *comment = strstr (line, " #");
        if (line[0] == '#' && strchr (" \r\n", line[1]))
            comment = line;
        if (comment)
            *comment = '\0';
        size_t size = strlen (line);
        while (size > 0 && strchr (" \t\r\n", line[size - 1]))
            line[--size] = '\0';
        if (size > 0)
            return true;
    }
    return false;
}

//  Opens a file of keys; `secret`: nobody else may read it.
static int
open_file (reader_t *reader, bool secret)
{
    struct stat is;
    int fd = open (reader->path, O_RDONLY | O_CLOEXEC);
    char what[128];
    if (fd < 0) {
        snprintf (what, sizeof what, "%s; `weft keys` makes what is missing",
                  strerror (errno));
        return complain (reader, what);
    }
    if (fstat (fd, &is) || (secret && (is.st_mode & (S_IRWXO | S_IRWXG)))) {
        close (fd);
        return complain (reader, "others than its owner may read it, expected "
                                 "mode 0600 or 0400; chmod 600, and make "
                                 "another key if it has been so for long");
    }
    reader->file = fdopen (fd, "r");
    if (!reader->file)
        close (fd);
    return reader->file ? 0 : complain (reader, "out of memory");
}

static int
read_secret (weft_keys_t *self, reader_t *reader)
{
    char line[LINE_MOST];
    int rc = open_file (reader, true);
    if (rc)
        return rc;
    bool good = next_line (reader, line) && is_key (line);
    if (good)
        memcpy (self->secret_key, line, WEFT_KEY_ROOM);
    good = good && !next_line (reader, line) &&
           !weft_keys_derive (self->secret_key, self->public_key);
    explicit_bzero (line, sizeof line);
    fclose (reader->file);
    return good ? 0
                : complain (reader, "expected one line with a key of 40 "
                                    "characters (Z85); remove the file and "
                                    "let `weft keys` make another");
}

static bool
is_stage (const char *text)
{
    size_t size = strspn (text, "abcdefghijklmnopqrstuvwxyz0123456789-._");
    return strcmp (text, "*") == 0 ||
           (size > 0 && size < STAGE_ROOM && text[size] == '\0');
}

static int
read_entry (weft_keys_t *self, const reader_t *reader, char *line)
{
    size_t size = strcspn (line, " \t");
    char *stage = line + size + strspn (line + size, " \t");
    line[size] = '\0';
    if (!is_key (line) || !is_stage (stage))
        return complain (reader, "expected \"public-key stage\": 40 characters "
                                 "(Z85), a blank, the stage or *");
    if (self->n == WEFT_KEYS_MOST)
        return complain (reader, "more than 1024 keys");
    entry_t *entry = &self->entries[self->n++];
    memcpy (entry->key, line, WEFT_KEY_ROOM);
    snprintf (entry->stage, sizeof entry->stage, "%s", stage);
    return 0;
}

static int
read_allow (weft_keys_t *self, reader_t *reader)
{
    char line[LINE_MOST];
    int rc = open_file (reader, false);
    if (rc)
        return rc;
    while (!rc && next_line (reader, line))
        rc = read_entry (self, reader, line);
    fclose (reader->file);
    return rc;
}

static int
load (weft_keys_t *self,
      const char *folder,
      const char *name,
      char *why,
      size_t room)
{
    char secret[PATH_MOST], allow[PATH_MOST];
    snprintf (secret, sizeof secret, "%s/%s.secret", folder, name);
    snprintf (allow, sizeof allow, "%s/allow", folder);
    reader_t reader = { .path = secret, .why = why, .room = room };
    int rc = read_secret (self, &reader);
    reader = (reader_t){ .path = allow, .why = why, .room = room };
    if (!rc)
        rc = read_allow (self, &reader);
    if (!rc && !weft_keys_know (self, self->public_key)) {
        snprintf (why, room,
                  "%s: there is no line for %s, the key of %s; add "
                  "it, or make it anew with `weft keys`",
                  allow, self->public_key, secret);
        rc = WEFT_ECONFIG;
    }
    return rc;
}

weft_keys_t *
weft_keys_load (const char *folder, const char *name, char *why, size_t room)
{
    snprintf (why, room, "out of memory");
    weft_keys_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    atomic_init (&self->refs, 1);
    self->entries = calloc (WEFT_KEYS_MOST, sizeof *self->entries);
    if (!self->entries || load (self, folder, name, why, room))
        weft_keys_unref (&self);
    return self;
}

weft_keys_t *
weft_keys_ref (weft_keys_t *self)
{
    atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
    return self;
}

void
weft_keys_unref (weft_keys_t **self_p)
{
    weft_keys_t *self = *self_p;
    *self_p = NULL;
    if (!self || atomic_fetch_sub (&self->refs, 1) > 1)
        return;
    explicit_bzero (self->secret_key, sizeof self->secret_key);
    free (self->entries);
    free (self);
}

const char *
weft_keys_public (const weft_keys_t *self)
{
    return self->public_key;
}

const char *
weft_keys_secret (const weft_keys_t *self)
{
    return self->secret_key;
}

//  Public keys: nothing to hide in how long the comparison takes.
static const entry_t *
find (const weft_keys_t *self, const char *key)
{
    for (size_t i = 0; key && i < self->n; i++)
        if (strcmp (self->entries[i].key, key) == 0)
            return &self->entries[i];
    return NULL;
}

bool
weft_keys_know (const weft_keys_t *self, const char *key)
{
    return find (self, key) != NULL;
}

static bool
is_for (const entry_t *entry, const char *text, size_t size)
{
    return strcmp (entry->stage, "*") == 0 ||
           (strlen (entry->stage) == size &&
            memcmp (entry->stage, text, size) == 0);
}

bool
weft_keys_may (const weft_keys_t *self,
               const char *key,
               const char *text,
               size_t size)
{
    for (size_t i = 0; key && i < self->n; i++)
        if (strcmp (self->entries[i].key, key) == 0 &&
            is_for (&self->entries[i], text, size))
            return true;
    return false;
}

const char *
weft_keys_stage (const weft_keys_t *self, const char *key)
{
    const entry_t *entry = find (self, key);
    return entry ? entry->stage : "-";
}

const char *
weft_keys_of (const weft_keys_t *self, const char *stage, size_t number)
{
    //  Who may be any stage seldom is an upstream: tried last.
    const char *const names[] = { stage, "*" };
    for (size_t k = 0; k < WEFT_COUNT (names); k++)
        for (size_t i = 0; i < self->n; i++)
            if (strcmp (self->entries[i].stage, names[k]) == 0 && number-- == 0)
                return self->entries[i].key;
    return NULL;
}

bool
weft_keys_lost (const weft_keys_t *self, const weft_keys_t *next)
{
    for (size_t i = 0; i < self->n; i++) {
        const entry_t *entry = &self->entries[i];
        if (!weft_keys_may (next, entry->key, entry->stage,
                            strlen (entry->stage)))
            return true;
    }
    return false;
}

int
weft_keys_make (char public_key[WEFT_KEY_ROOM], char secret_key[WEFT_KEY_ROOM])
{
    //  None that looks like a comment.
    do {
        if (zmq_curve_keypair (public_key, secret_key))
            return WEFT_EIO;
    } while (public_key[0] == '#' || secret_key[0] == '#');
    return 0;
}

int
weft_keys_derive (const char *secret_key, char public_key[WEFT_KEY_ROOM])
{
    if (!is_key (secret_key))
        return WEFT_EMALFORMED;
    return zmq_curve_public (public_key, secret_key) ? WEFT_EMALFORMED : 0;
}
