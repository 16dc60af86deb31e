//  avro_packets_fuzz.c - any bytes as a datum of a survey's own schema: what the
//  walk accepts, avro-c reads alike, every field that is wanted.
//
//  The first byte chooses the schema: 000.avsc, 001.avsc, ... of the folder that
//  WEFT_FUZZ_SCHEMAS names (tests/fuzz/corpus.py makes it).

#include "survey_oracle.h"

#define SCHEMAS_MOST 256
#define TEXT_MOST (1 << 20)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static oracle_t oracles[SCHEMAS_MOST];
static size_t n_oracles;

//  False if there is none of this number.
static bool
read_schema (const char *folder, size_t number)
{
    static char text[TEXT_MOST];
    char path[1024];
    snprintf (path, sizeof path, "%s/%03zu.avsc", folder, number);
    FILE *file = fopen (path, "re");
    if (!file)
        return false;
    size_t n = fread (text, 1, sizeof text, file);
    fclose (file);
    if (!survey_oracle_init (&oracles[number], text, n))
        fprintf (stderr, "%s: of no survey, or refused\n", path);
    return true;
}

static void
read_schemas (void)
{
    const char *folder = getenv ("WEFT_FUZZ_SCHEMAS");
    size_t plans = 0;
    while (folder && n_oracles < SCHEMAS_MOST &&
           read_schema (folder, n_oracles))
        n_oracles++;
    for (size_t i = 0; i < n_oracles; i++)
        plans += oracles[i].plan != NULL;
    if (!plans) {
        fprintf (stderr, "WEFT_FUZZ_SCHEMAS: expected a folder with 000.avsc "
                         "of a survey\n");
        exit (1);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!n_oracles)
        read_schemas ();
    if (!size)
        return 0;
    oracle_t *oracle = &oracles[*data % n_oracles];
    if (oracle->plan)
        (void)survey_oracle_check (oracle, data + 1, size - 1);
    return 0;
}
