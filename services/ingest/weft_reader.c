//  weft_reader.c - messages to items, the share's only.

#include "weft_reader.h"
#include "weft_hash.h"

static const char crashed[] = "ingest has died of this packet three times";

struct weft_reader {
    weft_input_t *input;
    weft_decoder_t *decoder;
    weft_hand_t *hand;
    uint32_t share, shares;
    int64_t from;  //  items before it are behind us
    //  The message that is open.
    weft_message_t message;
    bool open;
    bool summed;
    bool alone;        //  it has but one item, and that was read
    bool convicted;    //  opening it has crashed ingest: it is not opened
    uint64_t items;    //  of it so far
    uint32_t covers;   //  numbers that its next item stands for
    uint64_t refused;  //  of it so far, of a file's
    uint32_t silent;   //  passed over in this turn
    uint8_t sha256[32];
};

weft_reader_t *
weft_reader_new (weft_input_t *input,
                 weft_decoder_t *decoder,
                 weft_hand_t *hand,
                 uint32_t share,
                 uint32_t shares)
{
    weft_reader_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->input = input;
    self->decoder = decoder;
    self->hand = hand;
    self->share = share;
    self->shares = shares;
    return self;
}

void
weft_reader_destroy (weft_reader_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

int
weft_reader_seek (weft_reader_t *self,
                  const weft_place_t *place,
                  int64_t offset)
{
    self->open = false;
    self->from = offset;
    return self->input->seek (self->input, place);
}

//  Which item it is, for the hand: a number in the input, or a hash of where it
//  stands in a stream. Never negative.
static int64_t
key_of (const weft_reader_t *self)
{
    const weft_message_t *message = &self->message;
    if (!message->at.part)
        return message->place.offset + (int64_t)self->items;
    uint64_t hash = weft_hash (message->path, strlen (message->path));
    return (int64_t)(weft_hash_u64 (hash + self->items) >> 1);
}

//  To open a message is to parse a schema of somebody else's, so that has a key,
//  too, which no item has: of a message that can be opened the others go on when
//  one item is convicted.
static void
open_decoder (weft_reader_t *self)
{
    self->convicted = !weft_hand_take (self->hand, ~key_of (self));
    if (self->convicted)
        return;
    weft_decoder_open (self->decoder, self->message.data, self->message.size);
    weft_hand_lay_down (self->hand);
}

static int
open_message (weft_reader_t *self)
{
    int rc = self->input->next (self->input, &self->message);
    if (rc != 1)
        return rc;
    self->open = true;
    self->summed = self->alone = self->convicted = false;
    self->items = self->refused = 0;
    if (!self->message.why)
        open_decoder (self);
    return 1;
}

static void
close_message (weft_reader_t *self)
{
    weft_decoder_close (self->decoder);
    self->input->advance (self->input, self->items);
    self->open = false;
}

void
weft_reader_put_aside (weft_reader_t *self)
{
    weft_decoder_close (self->decoder);
    self->open = false;
}

void
weft_reader_rest (weft_reader_t *self)
{
    if (self->open && self->alone && self->message.at.part)
        close_message (self);
}

static void
sum (weft_reader_t *self)
{
    if (!self->summed)
        weft_sha256 (self->message.data, self->message.size, self->sha256);
    self->summed = true;
}

//  What a dead letter keeps of the packet: all of it, or nothing. A part would be
//  taken for the packet when the letter is put back.
static void
keep_sample (weft_taken_t *taken, const void *data, size_t size)
{
    taken->sample_size = 0;
    if (size > WEFT_READER_SAMPLE_MOST)
        return;
    if (size > taken->sample_room) {
        uint8_t *moved = realloc (taken->sample, size);
        if (!moved)
            return;
        taken->sample = moved;
        taken->sample_room = size;
    }
    if (size)
        memcpy (taken->sample, data, size);
    taken->sample_size = size;
}

static void
refuse (weft_taken_t *taken, int rc, const char *why, const char *schema)
{
    taken->rc = rc;
    taken->waits = rc == WEFT_EAGAIN;
    snprintf (taken->why, sizeof (taken->why), "%s", why);
    snprintf (taken->schema, sizeof (taken->schema), "%s", schema);
}

//  What a stream knows of the message beyond its bytes.
static void
fill_stream (weft_reader_t *self, weft_taken_t *taken)
{
    const weft_message_t *message = &self->message;
    taken->at = message->at;
    taken->partition = message->partition;
    taken->t_kafka = message->t_kafka;
    taken->topic = NULL;
    if (!message->at.part)
        return;
    taken->offset = message->at.offset;
    taken->topic =
        self->input->topic (self->input, message->at.part, self->items);
}

static void
fill_taken (weft_reader_t *self, weft_taken_t *taken, bool alone)
{
    const weft_message_t *message = &self->message;
    self->alone = alone;
    //  Bytes that a refusal has kept here are of another packet.
    taken->sample_size = 0;
    taken->place = message->place;
    taken->offset = message->place.offset + (int64_t)self->items;
    taken->key = key_of (self);
    fill_stream (self, taken);
    taken->item = (uint32_t)self->items;
    taken->size = (uint32_t)message->size;
    if (alone && !message->archived)
        snprintf (taken->path, sizeof (taken->path), "%s", message->path);
    else
        snprintf (taken->path, sizeof (taken->path), "%.490s#%llu",
                  message->path,
                  (unsigned long long)(message->place.item + self->items));
    if (message->data) {
        sum (self);
        memcpy (taken->sha256, self->sha256, sizeof (taken->sha256));
    }
}

//  A message that was not opened is one item.
static bool
is_shut (const weft_reader_t *self)
{
    return self->message.why || self->convicted;
}

static bool
refuse_shut (weft_reader_t *self, weft_taken_t *taken)
{
    fill_taken (self, taken, true);
    if (self->convicted)
        refuse (taken, WEFT_ECRASHED,
                "ingest has died three times as it opened this packet", "");
    else
        refuse (taken, WEFT_EIO, self->message.why, "");
    self->covers = 1;
    return self->items == 0;
}

//  Decodes the next item into `taken`. False at the end of the message.
static bool
decode_item (weft_reader_t *self, weft_taken_t *taken)
{
    weft_decoded_t item;
    if (is_shut (self))
        return refuse_shut (self, taken);
    weft_decoder_into (self->decoder, &taken->normal);
    bool more = weft_decoder_next (self->decoder, &item);
    weft_decoder_into (self->decoder, NULL);
    if (!more)
        return false;
    self->covers = item.covers;
    fill_taken (self, taken, item.alone);
    refuse (taken, item.rc, item.why, item.schema);
    if (!item.rc)
        weft_normal_keep (&taken->normal);
    return true;
}

static bool
skip_item (weft_reader_t *self)
{
    self->covers = 1;
    if (is_shut (self))
        return self->items == 0;
    self->covers = weft_decoder_skip (self->decoder);
    return self->covers > 0;
}

//  An item that has crashed ingest before: not decoded again.
static bool
convict_item (weft_reader_t *self, weft_taken_t *taken)
{
    if (!skip_item (self))
        return false;
    fill_taken (self, taken, false);
    refuse (taken, WEFT_ECRASHED, crashed, "");
    return true;
}

//  Behind so many items of a stream's message, one for all that there is more.
static bool
refuse_rest (weft_reader_t *self, weft_taken_t *taken)
{
    char why[WEFT_INPUT_WHY];
    if (self->items > WEFT_INPUT_ITEMS_MOST || !skip_item (self))
        return false;
    snprintf (why, sizeof (why),
              "this message has more than %d alerts: the rest of it is refused",
              WEFT_INPUT_ITEMS_MOST);
    fill_taken (self, taken, false);
    refuse (taken, WEFT_ETOOBIG, why, "");
    return true;
}

//  A few bytes can claim millions of alerts, so in a file, too, refused ones
//  have a letter each up to a ceiling, and behind it one together. False: this
//  item is among those.
static bool
is_told (weft_reader_t *self, weft_taken_t *taken)
{
    if (!taken->rc)
        return true;
    if (!self->message.at.part) {
        self->refused++;
        if (self->refused > WEFT_INPUT_ITEMS_MOST + 1)
            return false;
        if (self->refused > WEFT_INPUT_ITEMS_MOST) {
            char why[WEFT_INPUT_WHY];
            snprintf (why, sizeof (why),
                      "more than %d alerts of this message are refused: those "
                      "from here on have no letter of their own",
                      WEFT_INPUT_ITEMS_MOST);
            refuse (taken, WEFT_ETOOBIG, why, "");
        }
    }
    keep_sample (taken, self->message.data, self->message.size);
    return true;
}

//  The numbers of the item that was read, or stepped over, are behind us. Where
//  a stream has no names for what follows, it is refused in one.
static void
count_item (weft_reader_t *self)
{
    bool named = self->message.at.part && self->items < WEFT_INPUT_ITEMS_MOST;
    self->items += self->covers;
    if (named)
        self->items = WEFT_MIN (self->items, (uint64_t)WEFT_INPUT_ITEMS_MOST);
}

//  Is the next item of the open message ours, and new?
static bool
is_wanted (const weft_reader_t *self, int64_t offset)
{
    return offset >= self->from &&
           (uint64_t)offset % self->shares == self->share - 1;
}

//  One item of the open message, into `taken` if it is wanted: false at the
//  message's end.
static bool
read_item (weft_reader_t *self, weft_taken_t *taken, bool wanted)
{
    bool full = self->message.at.part && self->items >= WEFT_INPUT_ITEMS_MOST;
    if (!wanted)
        return skip_item (self);
    if (full)
        return refuse_rest (self, taken);
    if (!weft_hand_take (self->hand, key_of (self)))
        return convict_item (self, taken);
    bool there = decode_item (self, taken);
    weft_hand_lay_down (self->hand);
    return there;
}

int
weft_reader_next (weft_reader_t *self, weft_taken_t *taken)
{
    //  A few bytes can claim millions of items that nobody is told of: the loop
    //  behind us has others to look after, a watchdog among them.
    for (self->silent = 0; self->silent < WEFT_READER_SILENT_MOST;) {
        int rc = self->open ? 1 : open_message (self);
        if (rc != 1)
            return rc;
        int64_t offset = self->message.place.offset + (int64_t)self->items;
        bool wanted = is_wanted (self, offset);
        taken->waits = false;
        if (!read_item (self, taken, wanted)) {
            close_message (self);
            continue;
        }
        if (taken->waits)
            return WEFT_EAGAIN;
        count_item (self);
        if (wanted && is_told (self, taken))
            return 1;
        self->silent++;
    }
    taken->waits = false;
    return WEFT_EAGAIN;
}

bool
weft_reader_amid (const weft_reader_t *self)
{
    return self->silent == WEFT_READER_SILENT_MOST;
}

const weft_message_t *
weft_reader_message (const weft_reader_t *self)
{
    return &self->message;
}

static void
describe (weft_taken_t *self, const void *data, size_t size, uint32_t index)
{
    self->item = index;
    self->size = (uint32_t)size;
    weft_sha256 (data, size, self->sha256);
}

void
weft_taken_convict (weft_taken_t *self,
                    const void *data,
                    size_t size,
                    uint32_t index)
{
    describe (self, data, size, index);
    refuse (self, WEFT_ECRASHED, crashed, "");
    keep_sample (self, data, size);
}

void
weft_taken_decode (weft_taken_t *self,
                   weft_decoder_t *decoder,
                   const void *data,
                   size_t size,
                   uint32_t index)
{
    weft_decoded_t item;
    bool found = false;
    describe (self, data, size, index);
    refuse (self, WEFT_EMALFORMED, "no alert in it", "");
    weft_decoder_into (decoder, &self->normal);
    weft_decoder_open (decoder, data, size);
    while (!found && weft_decoder_next (decoder, &item)) {
        found = index - item.index < item.covers || item.rc == WEFT_EAGAIN;
        //  A letter waits for its schema where it is: as a letter.
        refuse (self, item.rc, item.why, item.schema);
        if (self->waits)
            self->rc = WEFT_ESCHEMA;
    }
    weft_decoder_into (decoder, NULL);
    if (!self->rc)
        weft_normal_keep (&self->normal);
    keep_sample (self, data, size);
    weft_decoder_close (decoder);
}

void
weft_taken_refuse (weft_taken_t *self, int rc, weft_str_t why)
{
    self->rc = rc;
    self->waits = false;
    weft_str_copy (why, self->why, sizeof (self->why));
}

void
weft_taken_fini (weft_taken_t *self)
{
    weft_normal_fini (&self->normal);
    free (self->sample);
    self->sample = NULL;
    self->sample_size = self->sample_room = 0;
}
