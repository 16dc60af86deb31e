//  container_fuzz.c - any bytes as a message: container, framed, or neither.
//
//  The whole way from bytes to a normalised alert. Items are counted the same
//  whether they are decoded or stepped over, and each that is refused says why.

#include "weft_decoder.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char why[WEFT_AVRO_WHY];
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    if (!decoder)
        return 0;
    weft_decoded_t item;
    size_t items = 0, skipped = 0;
    weft_decoder_open (decoder, data, size);
    while (items < 5000 && weft_decoder_next (decoder, &item)) {
        if (!item.rc != !*item.why || item.index != items || !item.covers)
            abort ();
        items += item.covers;
    }
    weft_decoder_open (decoder, data, size);
    uint32_t n;
    while (skipped < 5000 && (n = weft_decoder_skip (decoder)))
        skipped += n;
    if (items != skipped || !items)
        abort ();
    weft_decoder_destroy (&decoder);
    return 0;
}
