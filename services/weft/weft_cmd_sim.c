//  weft sim - writes a season of simulated alerts into a folder.
//
//  One packet is one file, named so that sorted names are the order of the
//  stream: alerts/night-2812/000012345.avro. Beside `alerts` are truth.csv,
//  catalog.csv, schema.json and night.json.

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "sim.h"
#include "sim_lsst.h"
#include "sim_tar.h"
#include "weft_time.h"

#define PATH_ROOM 4096

typedef struct {
    sim_options_t sim;
    const char *out;
    const char *tar;  //  NULL: files in a folder
    bool last_night;
    bool quiet;
} options_t;

static const char help[] =
    "usage: weft sim --out DIR [OPTION...]\n"
    "\n"
    "Writes alert packets of a simulated season, one file each, in the shape\n"
    "of a survey, and what is true about them. The same options give the same\n"
    "bytes.\n"
    "\n"
    "  --out DIR        folder to write into; made if it is not there. An\n"
    "                   earlier season in it is replaced\n"
    "  --survey NAME    ztf: Avro containers, schema 4.02; lsst: Confluent\n"
    "                   frames, schema 11.0, which is in DIR/schemas (ztf)\n"
    "  --seed S         random seed (1)\n"
    "  --alerts N       distinct alerts (5000)\n"
    "  --nights N       length of the season, 10 to 1500 (100)\n"
    "  --stamps WHAT    none, small (15 x 15) or full (63 x 63) (small)\n"
    "  --duplicates F   share of alerts that come again, same bytes (0.01)\n"
    "  --reissued F     share that comes again with other values (0.003)\n"
    "  --malformed N    damaged packets on top (0)\n"
    "  --tar FILE       packets into this tar archive, none into DIR/alerts\n"
    "  --last-night     write the packets of the last night only\n"
    "  --quiet          no summary on standard output\n"
    "\n"
    "DIR gets alerts/night-NNNN/NNNNNNNNN.avro (sorted names are the stream's\n"
    "order), truth.csv, catalog.csv, schema.json and night.json. Give\n"
    "DIR/alerts to whoever reads packets, and of LSST's --schemas "
    "DIR/schemas.\n";

static int
read_number (const char *text, double low, double high, double *value)
{
    char *end;
    errno = 0;
    *value = strtod (text, &end);
    return errno || end == text || *end || !(*value >= low && *value <= high)
               ? WEFT_EUSAGE
               : 0;
}

static int
read_count (const char *text, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull (text, &end, 10);
    return errno || end == text || *end || text[0] == '-' || *value > most
               ? WEFT_EUSAGE
               : 0;
}

static int
read_stamps (const char *text, sim_stamps_t *stamps)
{
    static const char *const names[] = { "none", "small", "full" };
    for (size_t i = 0; i < WEFT_COUNT (names); i++)
        if (!strcmp (text, names[i])) {
            *stamps = (sim_stamps_t)i;
            return 0;
        }
    return WEFT_EUSAGE;
}

static int
read_survey (const char *text, sim_survey_t *survey)
{
    *survey = strcmp (text, "lsst") == 0 ? SIM_LSST : SIM_ZTF;
    return *survey == SIM_LSST || strcmp (text, "ztf") == 0 ? 0 : WEFT_EUSAGE;
}

static int
read_option (options_t *self, int option, const char *text)
{
    uint64_t count = 0;
    int rc = 0;
    switch (option) {
    case 's':
        return read_count (text, UINT64_MAX, &self->sim.seed);
    case 'a':
        rc = read_count (text, SIM_ALERTS_MOST, &count);
        self->sim.alerts = (uint32_t)count;
        return rc || count == 0 ? WEFT_EUSAGE : 0;
    case 'n':
        rc = read_count (text, SIM_NIGHTS_MOST, &count);
        self->sim.nights = (uint32_t)count;
        return rc || count < 10 ? WEFT_EUSAGE : 0;
    case 'm':
        rc = read_count (text, 1000000, &count);
        self->sim.malformed = (uint32_t)count;
        return rc;
    case 'd':
        return read_number (text, 0, 1, &self->sim.duplicates);
    case 'r':
        return read_number (text, 0, 1, &self->sim.reissued);
    case 't':
        return read_stamps (text, &self->sim.stamps);
    case 'v':
        return read_survey (text, &self->sim.survey);
    case 'o':
        self->out = text;
        return 0;
    case 'f':
        self->tar = text;
        return 0;
    case 'l':
        self->last_night = true;
        return 0;
    case 'q':
        self->quiet = true;
        return 0;
    default:
        return WEFT_EUSAGE;
    }
}

//  0, or WEFT_EUSAGE after saying what is wrong, or 1 if help was asked for.
static int
read_options (options_t *self, int argc, char *argv[])
{
    static const struct option names[] = {
        { "seed", required_argument, NULL, 's' },
        { "alerts", required_argument, NULL, 'a' },
        { "nights", required_argument, NULL, 'n' },
        { "malformed", required_argument, NULL, 'm' },
        { "duplicates", required_argument, NULL, 'd' },
        { "reissued", required_argument, NULL, 'r' },
        { "stamps", required_argument, NULL, 't' },
        { "survey", required_argument, NULL, 'v' },
        { "out", required_argument, NULL, 'o' },
        { "tar", required_argument, NULL, 'f' },
        { "last-night", no_argument, NULL, 'l' },
        { "quiet", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option, at = 0;
    optind = 1;
    while ((option = getopt_long (argc, argv, "", names, &at)) != -1) {
        if (option == 'h')
            return 1;
        if (option == '?')
            return WEFT_EUSAGE;
        if (read_option (self, option, optarg)) {
            fprintf (stderr, "weft sim: --%s does not take '%s'\n",
                     names[at].name, optarg);
            return WEFT_EUSAGE;
        }
    }
    if (self->out && strlen (self->out) > PATH_ROOM / 2) {
        fprintf (stderr, "weft sim: the name of the folder is too long\n");
        return WEFT_EUSAGE;
    }
    if (optind < argc || !self->out) {
        fprintf (stderr, optind < argc ? "weft sim: unexpected argument\n"
                                       : "weft sim: --out DIR is missing\n");
        return WEFT_EUSAGE;
    }
    return 0;
}

static int
make_folder (const char *path)
{
    if (mkdir (path, 0777) && errno != EEXIST) {
        fprintf (stderr, "weft sim: %s: %s\n", path, strerror (errno));
        return WEFT_EIO;
    }
    return 0;
}

static int
write_file (const char *path, const void *data, size_t size)
{
    FILE *file = fopen (path, "wb");
    bool ok = file && fwrite (data, 1, size, file) == size;
    if (file && fclose (file))
        ok = false;
    if (!ok)
        fprintf (stderr, "weft sim: %s: %s\n", path, strerror (errno));
    return ok ? 0 : WEFT_EIO;
}

static int
write_table (const sim_t *sim,
             const char *folder,
             const char *name,
             int (*write) (const sim_t *sim, FILE *file))
{
    char path[PATH_ROOM];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "wb");
    int rc = file ? write (sim, file) : WEFT_EIO;
    if (file && fclose (file))
        rc = WEFT_EIO;
    if (rc)
        fprintf (stderr, "weft sim: %s: %s\n", path, strerror (errno));
    return rc;
}

static int
write_schema (const sim_t *sim, FILE *file)
{
    return fputs (sim_schema (sim), file) < 0 || fputc ('\n', file) < 0
               ? WEFT_EIO
               : 0;
}

typedef struct {
    FILE *tar;  //  NULL: files in a folder
    uint32_t packets;
    uint64_t bytes;
    int32_t night;
} written_t;

static int
write_packet (const options_t *options,
              const sim_packet_t *packet,
              written_t *written)
{
    char path[PATH_ROOM], name[SIM_TAR_NAME_MOST];
    //  What comes again after midnight belongs to the night that it comes in.
    bool new_night = packet->night > written->night;
    written->night = WEFT_MAX (written->night, packet->night);
    written->packets++;
    written->bytes += packet->size;
    snprintf (name, sizeof name, "night-%04d/%09u.avro", (int)written->night,
              (unsigned)packet->position);
    if (written->tar)
        return sim_tar_add (written->tar, name, packet->data, packet->size);
    if (new_night) {
        snprintf (path, sizeof path, "%s/alerts/night-%04d", options->out,
                  (int)written->night);
        int rc = make_folder (path);
        if (rc)
            return rc;
    }
    snprintf (path, sizeof path, "%s/alerts/%s", options->out, name);
    return write_file (path, packet->data, packet->size);
}

static int
write_packets (const options_t *options, sim_t *sim, written_t *written)
{
    sim_packet_t packet;
    int rc;
    while ((rc = sim_next (sim, &packet)) == 0) {
        if (options->last_night && packet.night < sim_last_night (sim))
            continue;
        rc = write_packet (options, &packet, written);
        if (rc)
            return rc;
    }
    return rc == WEFT_ENOENT ? 0 : rc;
}

//  "000012345.avro": `digits` digits between two texts, nothing else.
static bool
is_numbered (const char *name,
             const char *head,
             size_t digits,
             const char *tail)
{
    size_t n = strlen (head);
    return !strncmp (name, head, n) &&
           strspn (name + n, "0123456789") == digits &&
           !strcmp (name + n + digits, tail);
}

//  Removes what an earlier season left in a folder, and only that: files by
//  the names that we give, then the folder if nothing else is in it.
static void
clear_night (const char *path)
{
    DIR *folder = opendir (path);
    for (struct dirent *entry; folder && (entry = readdir (folder));) {
        char file[PATH_ROOM];
        int n = snprintf (file, sizeof file, "%s/%s", path, entry->d_name);
        if (is_numbered (entry->d_name, "", 9, ".avro") && n < (int)sizeof file)
            unlink (file);
    }
    if (folder)
        closedir (folder);
    rmdir (path);
}

//  Makes DIR/alerts empty: two seasons in one folder would be neither.
static int
make_alerts_folder (const char *out)
{
    char path[PATH_ROOM - 300], night[PATH_ROOM];
    snprintf (path, sizeof path, "%s/alerts", out);
    int rc = make_folder (path);
    DIR *folder = rc ? NULL : opendir (path);
    for (struct dirent *entry; folder && (entry = readdir (folder));) {
        snprintf (night, sizeof night, "%s/%s", path, entry->d_name);
        if (is_numbered (entry->d_name, "night-", 4, ""))
            clear_night (night);
    }
    if (folder)
        closedir (folder);
    return rc;
}

static int
open_tar (const char *path, written_t *written)
{
    written->tar = fopen (path, "wb");
    if (!written->tar)
        fprintf (stderr, "weft sim: %s: %s\n", path, strerror (errno));
    return written->tar ? 0 : WEFT_EIO;
}

static int
close_tar (const char *path, written_t *written, int rc)
{
    if (!written->tar)
        return rc;
    if (!rc)
        rc = sim_tar_end (written->tar);
    if (fclose (written->tar) && !rc)
        rc = WEFT_EIO;
    if (rc)
        fprintf (stderr, "weft sim: %s: %s\n", path, strerror (errno));
    return rc;
}

//  Where readers of framed packets look for their schema; not where there are
//  none, so that a folder never has that of an earlier season.
static int
write_schemas (const options_t *options, const sim_t *sim)
{
    char path[PATH_ROOM - 64], file[PATH_ROOM];
    snprintf (path, sizeof path, "%s/schemas", options->out);
    snprintf (file, sizeof file, "schemas/" SIM_LSST_SCHEMA ".avsc");
    if (options->sim.survey == SIM_LSST) {
        int rc = make_folder (path);
        return rc ? rc : write_table (sim, options->out, file, write_schema);
    }
    snprintf (file, sizeof file, "%s/" SIM_LSST_SCHEMA ".avsc", path);
    (void)unlink (file);
    (void)rmdir (path);
    return 0;
}

static int
write_season (const options_t *options, sim_t *sim)
{
    written_t written = { 0 };
    int rc = make_folder (options->out);
    if (!rc)
        rc = options->tar ? open_tar (options->tar, &written)
                          : make_alerts_folder (options->out);
    int64_t start = weft_time_ns ();
    if (!rc)
        rc = write_packets (options, sim, &written);
    rc = close_tar (options->tar, &written, rc);
    double seconds = (double)(weft_time_ns () - start) * 1e-9;
    if (!rc)
        rc = write_table (sim, options->out, "truth.csv", sim_write_truth);
    if (!rc)
        rc = write_table (sim, options->out, "catalog.csv", sim_write_catalog);
    if (!rc)
        rc = write_table (sim, options->out, "schema.json", write_schema);
    if (!rc)
        rc = write_schemas (options, sim);
    if (!rc)
        rc = write_table (sim, options->out, "night.json", sim_write_summary);
    if (!rc && !options->quiet)
        printf ("%u packets, %.1f MB in %s (%.0f packets/s)\n", written.packets,
                (double)written.bytes * 1e-6, options->out,
                written.packets / seconds);
    return rc;
}

int
weft_cmd_sim (int argc, char *argv[])
{
    options_t options = { .sim = sim_defaults };
    int rc = read_options (&options, argc, argv);
    if (rc == 1) {
        fputs (help, stdout);
        return 0;
    }
    if (rc) {
        fputs ("try: weft sim --help\n", stderr);
        return 2;
    }
    sim_t *sim = sim_new (&options.sim);
    if (!sim) {
        fprintf (stderr, "weft sim: no memory for such a season\n");
        return 1;
    }
    rc = write_season (&options, sim);
    sim_destroy (&sim);
    return rc ? 1 : 0;
}
