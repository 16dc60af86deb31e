//  weft keys - makes, rotates and retires the CURVE keys of a mesh.
//
//  Every file is written beside its place and renamed, the allow-list first: a
//  service that reads at any moment finds its own key in the list.

#include <getopt.h>

#include "commands.h"
#include "weft_buf.h"
#include "weft_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MOST = 64, PATH_ROOM = 1024, ALLOW_MOST = 1 << 20 };

typedef struct {
    char name[65];
    char stage[65];
} owner_t;

typedef struct {
    const char *folder;
    bool rotate, retire;
    size_t n;
    owner_t owners[NAMES_MOST];
    weft_buf_t allow;  //  the list as it is
    size_t made;
    int lock;  //  descriptor of the locked folder
} keys_t;

static const char *const usual[] = {
    "ingest",         "crossmatch",   "feature",    "classifier",
    "active-learner", "tom-notifier", "operator=*", "python=classifier",
};

static const char OLD[] = " # old";
static const char HEAD[] =
    "# Who may come in: \"public-key stage\", \"*\" is any stage. Made by "
    "weft\n"
    "# keys; lines may be added. The first key of a stage is its newest one.\n";

static void
help (FILE *out)
{
    fprintf (out,
             "usage: weft keys [--rotate | --retire] DIR [NAME[=STAGE]...]\n\n"
             "Makes the CURVE keys of a mesh in DIR: for each service "
             "NAME.secret (mode 0600)\nand NAME.public, and the list `allow` "
             "of lines \"public-key stage\". What is there\nstays. Services "
             "use them by link.keys: DIR.\n\n"
             "  NAME[=STAGE]   more pairs than those of the usual services, "
             "`operator` (any\n                 stage) and `python` (stage "
             "classifier)\n"
             "  --rotate       a new pair for each NAME, or for all that have "
             "one; the old\n                 keys stay in the list, marked "
             "old\n"
             "  --retire       take the lines that are marked old out of the "
             "list\n\n"
             "After --rotate, and again after --retire, send SIGHUP to every "
             "service.\n");
}

static int
fail (const char *path, const char *what)
{
    fprintf (stderr, "weft keys: %s: %s\n", path, what);
    return 1;
}

static int
write_all (int fd, const void *data, size_t size)
{
    bool good = write (fd, data, size) == (ssize_t)size && fsync (fd) == 0;
    return good ? 0 : -1;
}

//  The whole file or none of it.
static int
put_file (const keys_t *self,
          const char *name,
          mode_t mode,
          const void *data,
          size_t size)
{
    char path[PATH_ROOM], fresh[PATH_ROOM];
    snprintf (path, sizeof path, "%s/%s", self->folder, name);
    snprintf (fresh, sizeof fresh, "%s/.%s.new", self->folder, name);
    (void)unlink (fresh);
    int fd = open (fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail (fresh, strerror (errno));
    int rc = write_all (fd, data, size);
    int error = errno;
    close (fd);
    if (rc || rename (fresh, path)) {
        fail (path, strerror (rc ? error : errno));
        (void)unlink (fresh);
        return 1;
    }
    return 0;
}

static int
put_key (const keys_t *self,
         const char *name,
         const char *kind,
         mode_t mode,
         const char *key)
{
    char file[80], line[WEFT_KEY_ROOM + 1];
    snprintf (file, sizeof file, "%s.%s", name, kind);
    int size = snprintf (line, sizeof line, "%s\n", key);
    int rc = put_file (self, file, mode, line, (size_t)size);
    explicit_bzero (line, sizeof line);
    return rc;
}

//  A file's text, ended by 0; *missing: there is none.
static int
read_file (const keys_t *self, const char *name, weft_buf_t *out, bool *missing)
{
    char path[PATH_ROOM], piece[4096];
    snprintf (path, sizeof path, "%s/%s", self->folder, name);
    FILE *file = fopen (path, "re");
    *missing = !file && errno == ENOENT;
    if (!file)
        return *missing ? 0 : fail (path, strerror (errno));
    for (size_t n; (n = fread (piece, 1, sizeof piece, file)) > 0;)
        weft_buf_add (out, piece, n);
    bool bad = ferror (file) || out->error;
    fclose (file);
    explicit_bzero (piece, sizeof piece);
    weft_buf_add (out, "", 1);
    return bad || out->error ? fail (path, "cannot be read") : 0;
}

//  The public key of the pair that NAME has; "": none yet.
static int
present_key (const keys_t *self, const char *name, char key[WEFT_KEY_ROOM])
{
    char file[80], secret[WEFT_KEY_ROOM] = "";
    bool missing;
    weft_buf_t text;
    weft_buf_init (&text, 4096);
    snprintf (file, sizeof file, "%s.secret", name);
    key[0] = '\0';
    int rc = read_file (self, file, &text, &missing);
    if (!rc && !missing) {
        snprintf (secret, sizeof secret, "%.*s",
                  (int)strcspn ((char *)text.data, "\r\n"), (char *)text.data);
        if (weft_keys_derive (secret, key))
            rc = fail (file, "expected one line with a key of 40 characters "
                             "(Z85); remove the file, and run this again");
    }
    explicit_bzero (secret, sizeof secret);
    if (text.data)
        explicit_bzero (text.data, text.size);
    weft_buf_fini (&text);
    return rc;
}

static bool
is_of (const char *line, const char *key)
{
    return key[0] && strncmp (line, key, WEFT_KEY_ROOM - 1) == 0 &&
           line[WEFT_KEY_ROOM - 1] == ' ';
}

static bool
is_old (const char *line, size_t size)
{
    return size >= sizeof OLD - 1 &&
           memcmp (line + size - (sizeof OLD - 1), OLD, sizeof OLD - 1) == 0;
}

//  The stage that the list gives to a key, if it has the key.
static void
find_stage (const keys_t *self, const char *key, owner_t *owner)
{
    const char *line = (const char *)self->allow.data;
    for (; line && *line; line += *line == '\n') {
        const char *stage = line + WEFT_KEY_ROOM;
        if (is_of (line, key))
            snprintf (owner->stage, sizeof owner->stage, "%.*s",
                      (int)strcspn (stage, " \n"), stage);
        line += strcspn (line, "\n");
    }
}

//  Writes the list with one more key: before the one that it replaces, which is
//  marked old, or at the end.
static int
allow_key (keys_t *self,
           const owner_t *owner,
           const char *key,
           const char *replaced)
{
    weft_buf_t out;
    weft_buf_init (&out, ALLOW_MOST);
    bool placed = false;
    const char *line = (const char *)self->allow.data;
    for (; line && *line;) {
        size_t size = strcspn (line, "\n");
        bool is = is_of (line, replaced);
        if (is && !placed) {
            weft_buf_addf (&out, "%s %s\n", key, owner->stage);
            placed = true;
        }
        weft_buf_add (&out, line, size);
        weft_buf_addf (&out, "%s\n", is && !is_old (line, size) ? OLD : "");
        line += size + (line[size] == '\n');
    }
    if (!placed)
        weft_buf_addf (&out, "%s %s\n", key, owner->stage);
    int rc = out.error ? fail ("allow", "out of memory")
                       : put_file (self, "allow", 0644, out.data, out.size);
    weft_buf_add (&out, "", 1);
    weft_buf_fini (&self->allow);
    self->allow = out;
    return rc;
}

static bool
is_allowed (const keys_t *self, const char *key)
{
    const char *line = (const char *)self->allow.data;
    while (line && *line) {
        if (is_of (line, key))
            return true;
        line += strcspn (line, "\n");
        line += *line == '\n';
    }
    return false;
}

static int
make_pair (keys_t *self, const owner_t *owner, const char *replaced)
{
    char public_key[WEFT_KEY_ROOM], secret_key[WEFT_KEY_ROOM];
    if (weft_keys_make (public_key, secret_key))
        return fail (owner->name, "this libzmq was built without CURVE");
    int rc = allow_key (self, owner, public_key, replaced);
    if (!rc)
        rc = put_key (self, owner->name, "secret", 0600, secret_key);
    if (!rc)
        rc = put_key (self, owner->name, "public", 0644, public_key);
    explicit_bzero (secret_key, sizeof secret_key);
    self->made++;
    return rc;
}

static int
serve (keys_t *self, owner_t *owner)
{
    char key[WEFT_KEY_ROOM];
    int rc = present_key (self, owner->name, key);
    if (rc)
        return rc;
    if (self->rotate && !key[0])
        return fail (owner->name, "has no key that could be rotated");
    if (self->rotate)
        find_stage (self, key, owner);
    if (self->rotate || !key[0])
        return make_pair (self, owner, key);
    if (!is_allowed (self, key))
        rc = allow_key (self, owner, key, "");
    return rc ? rc : put_key (self, owner->name, "public", 0644, key);
}

static int
retire (keys_t *self)
{
    weft_buf_t out;
    weft_buf_init (&out, ALLOW_MOST);
    const char *line = (const char *)self->allow.data;
    size_t gone = 0;
    while (line && *line) {
        size_t size = strcspn (line, "\n");
        if (is_old (line, size) && line[0] != '#')
            gone++;
        else {
            weft_buf_add (&out, line, size);
            weft_buf_add (&out, "\n", 1);
        }
        line += size + (line[size] == '\n');
    }
    int rc = out.error ? fail ("allow", "out of memory") : 0;
    if (!rc && gone)
        rc = put_file (self, "allow", 0644, out.data, out.size);
    weft_buf_fini (&out);
    if (!rc)
        printf ("%zu old keys are gone from %s/allow\n", gone, self->folder);
    return rc;
}

static bool
is_name (const char *text, size_t size)
{
    return size > 0 && size < 65 && text[0] != '.' &&
           strspn (text, "abcdefghijklmnopqrstuvwxyz0123456789-._") >= size;
}

//  "NAME" or "NAME=STAGE". False: it is neither.
static bool
add_owner (keys_t *self, const char *word)
{
    size_t size = strcspn (word, "=");
    const char *stage = word[size] ? word + size + 1 : word;
    if (!is_name (word, size) || self->n == NAMES_MOST ||
        (strcmp (stage, "*") != 0 && !is_name (stage, strlen (stage))))
        return false;
    owner_t *owner = &self->owners[self->n++];
    snprintf (owner->name, sizeof owner->name, "%.*s", (int)size, word);
    snprintf (owner->stage, sizeof owner->stage, "%s", stage);
    return true;
}

//  Every NAME.secret of the folder.
static int
list_owners (keys_t *self)
{
    DIR *folder = opendir (self->folder);
    if (!folder)
        return fail (self->folder, strerror (errno));
    int rc = 0;
    for (const struct dirent *entry; !rc && (entry = readdir (folder));) {
        size_t size = strlen (entry->d_name);
        char name[65];
        if (size < 8 || size - 7 >= sizeof name ||
            strcmp (entry->d_name + size - 7, ".secret") != 0)
            continue;
        snprintf (name, sizeof name, "%.*s", (int)(size - 7), entry->d_name);
        if (is_name (name, size - 7) && !add_owner (self, name))
            rc = fail (self->folder, "more than 64 names");
    }
    closedir (folder);
    return rc;
}

//  One at a time in a folder: the list is read, changed and written. The lock
//  ends with the process, or with unlock_folder.
static int
lock_folder (keys_t *self)
{
    if (mkdir (self->folder, 0700) && errno != EEXIST)
        return fail (self->folder, strerror (errno));
    self->lock = open (self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->lock < 0 || flock (self->lock, LOCK_EX))
        return fail (self->folder, strerror (errno));
    return 0;
}

static void
unlock_folder (keys_t *self)
{
    if (self->lock >= 0)
        close (self->lock);
    self->lock = -1;
}

static int
run (keys_t *self)
{
    bool missing;
    int rc = lock_folder (self);
    if (rc)
        return rc;
    rc = read_file (self, "allow", &self->allow, &missing);
    if (rc)
        return rc;
    if (missing)
        weft_buf_add (&self->allow, HEAD, sizeof HEAD);
    if (self->retire)
        return retire (self);
    if (self->rotate && self->n == 0)
        rc = list_owners (self);
    for (size_t i = 0; !rc && i < self->n; i++)
        rc = serve (self, &self->owners[i]);
    if (!rc)
        printf ("%zu pairs made in %s%s\n", self->made, self->folder,
                self->rotate ? "; now SIGHUP to every service, then --retire, "
                               "and SIGHUP again"
                             : "");
    return rc;
}

//  -1 to go on, else an exit code.
static int
parse (keys_t *self, int argc, char *argv[])
{
    static const struct option options[] = {
        { "rotate", no_argument, NULL, 'o' },
        { "retire", no_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        self->rotate = self->rotate || c == 'o';
        self->retire = self->retire || c == 'e';
        if (c == 'h' || c == '?') {
            help (c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (optind == argc || (self->rotate && self->retire)) {
        help (stderr);
        return 2;
    }
    self->folder = argv[optind++];
    for (size_t i = 0; !self->rotate && i < WEFT_COUNT (usual); i++)
        (void)add_owner (self, usual[i]);
    for (; optind < argc; optind++)
        if (!add_owner (self, argv[optind])) {
            fprintf (stderr,
                     "weft keys: '%s': expected NAME or NAME=STAGE of "
                     "a-z 0-9 - . _\n",
                     argv[optind]);
            return 2;
        }
    return -1;
}

int
weft_cmd_keys (int argc, char *argv[])
{
    keys_t self = { .lock = -1 };
    weft_buf_init (&self.allow, ALLOW_MOST);
    int code = parse (&self, argc, argv);
    if (code < 0)
        code = run (&self);
    unlock_folder (&self);
    weft_buf_fini (&self.allow);
    return code;
}
