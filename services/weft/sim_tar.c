//  sim_tar.c - writes a tar archive (POSIX ustar), file after file.

#include "sim_tar.h"

#define BLOCK 512

typedef struct {
    char name[100];
    char mode[8];
    char owner[8];
    char group[8];
    char size[12];
    char time[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char rest[247];
} header_t;

_Static_assert(sizeof (header_t) == BLOCK, "a tar header is one block");

//  The sum of all bytes, its own field counted as blanks.
static void
seal (header_t *self)
{
    unsigned sum = 0;
    memset (self->checksum, ' ', sizeof self->checksum);
    for (size_t i = 0; i < sizeof *self; i++)
        sum += ((const uint8_t *)self)[i];
    snprintf (self->checksum, sizeof self->checksum, "%06o", sum & 0777777);
    self->checksum[7] = ' ';
}

int
sim_tar_add (FILE *archive, const char *name, const void *data, size_t size)
{
    static const uint8_t zeros[BLOCK];
    header_t header = { .type = '0' };
    size_t pad = (BLOCK - size % BLOCK) % BLOCK;
    assert (strlen (name) <= SIM_TAR_NAME_MOST && size < 1u << 30);
    snprintf (header.name, sizeof header.name, "%s", name);
    snprintf (header.mode, sizeof header.mode, "%07o", 0644u);
    snprintf (header.owner, sizeof header.owner, "%07o", 0u);
    snprintf (header.group, sizeof header.group, "%07o", 0u);
    snprintf (header.size, sizeof header.size, "%011o", (unsigned)size);
    snprintf (header.time, sizeof header.time, "%011o", 0u);
    memcpy (header.magic, "ustar", 6);
    memcpy (header.version, "00", 2);
    seal (&header);
    bool ok = fwrite (&header, 1, BLOCK, archive) == BLOCK &&
              fwrite (data, 1, size, archive) == size &&
              fwrite (zeros, 1, pad, archive) == pad;
    return ok ? 0 : WEFT_EIO;
}

int
sim_tar_end (FILE *archive)
{
    static const uint8_t zeros[2 * BLOCK];
    return fwrite (zeros, 1, sizeof zeros, archive) == sizeof zeros ? 0
                                                                    : WEFT_EIO;
}
