//  framed_fuzz.c - any bytes as a Confluent-framed message, with a folder of
//  schemas: what is decoded fits a schema of that name to its last byte, and
//  avro-c reads the same there; what is not is refused with a reason.
//
//  The folder is named by WEFT_FUZZ_FRAMED (tests/fuzz/corpus.py makes it).

#include "survey_oracle.h"

#include "weft_decoder.h"

#define HEADER 5  //  00 and the schema's id

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
    char name[128];
    oracle_t oracle;
} known_t;

static known_t known[WEFT_REGISTRY_MOST];
static size_t n_known;
static weft_decoder_t *decoder;

static void
open_schemas (void)
{
    char why[WEFT_AVRO_WHY] = "not set";
    const char *folder = getenv ("WEFT_FUZZ_FRAMED");
    weft_avro_registry_t *registry =
        folder ? weft_avro_registry_new (folder, why) : NULL;
    decoder = registry ? weft_decoder_new (folder, why) : NULL;
    if (!decoder) {
        fprintf (stderr, "WEFT_FUZZ_FRAMED: %s\n", why);
        exit (1);
    }
    for (size_t i = 0; i < weft_avro_registry_count (registry); i++) {
        size_t size;
        const char *text = weft_avro_registry_text (registry, i, &size);
        known_t *one = &known[n_known];
        weft_avro_schema_peek_name (text, size, one->name, sizeof one->name);
        if (survey_oracle_init (&one->oracle, text, size))
            n_known++;
    }
    weft_avro_registry_destroy (&registry);
}

//  Does a schema of this name take all the bytes, and avro-c read the same?
static bool
fits (const char *name, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < n_known; i++) {
        oracle_t *oracle = &known[i].oracle;
        if (!strcmp (known[i].name, name) &&
            survey_oracle_check (oracle, data, size) == 1 &&
            oracle->used == size)
            return true;
    }
    return false;
}

static int
decode (const uint8_t *data, size_t size)
{
    weft_decoded_t item;
    weft_decoder_open (decoder, data, size);
    if (!weft_decoder_next (decoder, &item) || !item.rc != !*item.why)
        abort ();
    if (!item.rc && !fits (item.schema, data + HEADER, size - HEADER)) {
        fprintf (stderr, "decoded as %s, which it does not fit\n", item.schema);
        abort ();
    }
    int rc = item.rc;
    if (weft_decoder_next (decoder, &item))
        abort ();
    return rc;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!decoder)
        open_schemas ();
    //  Anything else is container_fuzz's.
    if (size < HEADER || *data)
        return 0;
    if (decode (data, size) != decode (data, size))
        abort ();
    return 0;
}
