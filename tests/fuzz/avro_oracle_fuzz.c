//  avro_oracle_fuzz.c - any bytes as a datum: what the walk accepts, avro-c
//  reads alike.

#include "unit/avro_oracle.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static oracle_t oracle;
    static bool ready;
    if (!ready && !oracle_init (&oracle, oracle_text, oracle_groups,
                                WEFT_COUNT (oracle_groups)))
        abort ();
    ready = true;
    if (oracle_check (&oracle, data, size) < 0) {
        fprintf (stderr, "differs: %s\n", oracle.fault);
        abort ();
    }
    return 0;
}
