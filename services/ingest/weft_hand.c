//  weft_hand.c - a page of shared memory behind a file.

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weft_hand.h"

#define MAGIC UINT64_C (0x31646e6148746657)  //  "WftHand1"
#define SUSPECTS 32                          //  positions that are counted

typedef struct {
    int64_t offset;
    uint32_t found;
    uint32_t pad;
} suspect_t;

typedef struct {
    uint64_t magic;
    uint64_t identity;
    int64_t offset;    //  in hand
    uint32_t in_hand;  //  is one?
    uint32_t next;     //  suspect that makes way for a new one
    suspect_t suspects[SUSPECTS];
} page_t;

struct weft_hand {
    volatile page_t *page;
};

static volatile suspect_t *
find (const weft_hand_t *self, int64_t offset)
{
    for (size_t i = 0; i < SUSPECTS; i++)
        if (self->page->suspects[i].found &&
            self->page->suspects[i].offset == offset)
            return &self->page->suspects[i];
    return NULL;
}

//  A start: what was in hand is counted, once.
static void
count_found (weft_hand_t *self)
{
    volatile page_t *page = self->page;
    if (!page->in_hand)
        return;
    volatile suspect_t *suspect = find (self, page->offset);
    if (!suspect) {
        suspect = &page->suspects[page->next % SUSPECTS];
        page->next++;
        suspect->offset = page->offset;
        suspect->found = 0;
    }
    suspect->found++;
    page->in_hand = 0;
}

//  A page of a file that has no block yet gets one when it is written, and on a
//  disk that is full that is a SIGBUS, not an error: so it gets it before. 0 or
//  an errno.
static int
allocate (int fd)
{
    int error;
    do
        error = posix_fallocate (fd, 0, sizeof (page_t));
    while (error == EINTR);
    return error;
}

//  NULL: errno says why.
static volatile page_t *
map (const char *path)
{
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    void *page = MAP_FAILED;
    int error = allocate (fd);
    if (!error) {
        page = mmap (NULL, sizeof (page_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                     fd, 0);
        error = errno;
    }
    close (fd);
    errno = error;
    return page == MAP_FAILED ? NULL : page;
}

weft_hand_t *
weft_hand_new (const char *path, uint64_t identity)
{
    weft_hand_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->page = map (path);
    if (!self->page) {
        free (self);
        return NULL;
    }
    if (self->page->magic != MAGIC || self->page->identity != identity) {
        memset ((void *)(uintptr_t)self->page, 0, sizeof (page_t));
        self->page->identity = identity;
        self->page->magic = MAGIC;
    }
    count_found (self);
    return self;
}

void
weft_hand_destroy (weft_hand_t **self_p)
{
    weft_hand_t *self = *self_p;
    if (!self)
        return;
    munmap ((void *)(uintptr_t)self->page, sizeof (page_t));
    free (self);
    *self_p = NULL;
}

uint32_t
weft_hand_found (const weft_hand_t *self, int64_t offset)
{
    const volatile suspect_t *suspect = find (self, offset);
    return suspect ? suspect->found : 0;
}

bool
weft_hand_take (weft_hand_t *self, int64_t offset)
{
    if (weft_hand_found (self, offset) >= WEFT_HAND_STARTS)
        return false;
    self->page->offset = offset;
    self->page->in_hand = 1;
    return true;
}

void
weft_hand_lay_down (weft_hand_t *self)
{
    self->page->in_hand = 0;
}

void
weft_hand_forget (weft_hand_t *self, int64_t offset)
{
    volatile suspect_t *suspect = find (self, offset);
    if (suspect)
        suspect->found = 0;
}
