//  sim_damage.c - packets that a reader must refuse.

#include "sim_damage.h"
#include "sim_record.h"

static const char *const texts[SIM_DAMAGES] = {
    "empty file",     "cut in the datum",  "wrong magic", "sync marker differs",
    "hostile length", "schema is no JSON", "no records",  "CR LF lost a byte",
};

static const char *const framed_texts[SIM_DAMAGES] = {
    "empty file",       "cut in the datum", "wrong magic", "a byte too many",
    "a hostile length", "cut in the frame", "no datum",    "CR LF lost a byte",
};

const char *
sim_damage_text (uint32_t which, bool framed)
{
    return (framed ? framed_texts : texts)[which % SIM_DAMAGES];
}

//  A byte of the text that a transfer in text mode would have dropped.
static void
drop_byte (weft_buf_t *packet, size_t at)
{
    memmove (packet->data + at, packet->data + at + 1, packet->size - at - 1);
    packet->size--;
}

//  A Confluent frame: 5 bytes, then the datum.
static void
damage_framed (weft_buf_t *packet, uint32_t which)
{
    enum { FRAME = 5 };
    switch (which) {
    case 0:
        packet->size = 0;
        break;
    case 1:
        packet->size -= packet->size / 3;
        break;
    case 2:
        packet->data[0] = 7;
        break;
    case 3:
        weft_buf_add (packet, "", 1);
        break;
    case 4:
        //  A source's number, and a text of 2^62 bytes.
        packet->size = FRAME;
        sim_avro_long (packet, 1);
        sim_avro_long (packet, 1);
        sim_avro_long (packet, INT64_C (1) << 62);
        weft_buf_add (packet, "hostile", 7);
        break;
    case 5:
        packet->size = 3;
        break;
    case 6:
        packet->size = FRAME;
        break;
    default:
        //  Near the end there are only values of a fixed size, or an image: in
        //  front a number would just be another one.
        drop_byte (packet, packet->size - 20);
        break;
    }
}

const char *
sim_damage (weft_buf_t *packet, size_t header, uint32_t which)
{
    if (header == 0) {
        damage_framed (packet, which % SIM_DAMAGES);
        return sim_damage_text (which, true);
    }
    size_t sync = header + 16;  //  end of the header's sync marker
    assert (packet->size > sync + 40);
    switch (which % SIM_DAMAGES) {
    case 0:
        packet->size = 0;
        break;
    case 1:
        packet->size -= (packet->size - sync) / 3;
        break;
    case 2:
        memcpy (packet->data, "Obj\3", 4);
        break;
    case 3:
        packet->data[packet->size - 1] ^= 0xff;
        break;
    case 4:
        //  One record of 2^62 bytes.
        packet->size = sync;
        sim_avro_long (packet, 1);
        sim_avro_long (packet, INT64_C (1) << 62);
        weft_buf_add (packet, "hostile", 7);
        break;
    case 5:
        //  The schema's first brace, after its key and length.
        memcpy (memchr (packet->data, '{', header), "?", 1);
        break;
    case 6:
        packet->size = sync;
        break;
    default:
        drop_byte (packet, sync + 20);
        break;
    }
    return sim_damage_text (which, false);
}
