/* SPDX-License-Identifier: MIT */
#include "doorbells.h"
#include <sys/ioctl.h>

void kvm_doorbells_init(struct kvm_doorbells *b)
{
    pthread_mutex_init(&b->lock, NULL);
    b->vm = -1;
    b->n = 0;
}

void kvm_doorbells_finish(struct kvm_doorbells *b) { pthread_mutex_destroy(&b->lock); }

void kvm_doorbells_attach(struct kvm_doorbells *b, int vm)
{
    pthread_mutex_lock(&b->lock);
    b->vm = vm;
    b->n = 0;
    pthread_mutex_unlock(&b->lock);
}

static bool tell(const struct kvm_doorbells *b, const struct kvm_doorbell *bell, bool on)
{
    struct kvm_ioeventfd event = {.datamatch = bell->value,
                                  .addr = bell->address,
                                  .len = sizeof bell->value,
                                  .fd = bell->fd,
                                  .flags = KVM_IOEVENTFD_FLAG_DATAMATCH | (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN)};

    return ioctl(b->vm, KVM_IOEVENTFD, &event) == 0;
}

/* [locked] */
static struct kvm_doorbell *find(struct kvm_doorbells *b, uint64_t address, uint32_t value)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (b->bells[i].address == address && b->bells[i].value == value)
            return &b->bells[i];
    return NULL;
}

/* [locked] */
static bool add(struct kvm_doorbells *b, const struct kvm_doorbell *bell)
{
    if (b->vm < 0 || b->n == KVM_DOORBELLS_MAX || !tell(b, bell, true))
        return false;
    b->bells[b->n++] = *bell;
    return true;
}

bool kvm_doorbell_set(struct kvm_doorbells *b, uint64_t address, uint32_t value, int fd)
{
    const struct kvm_doorbell wanted = {.address = address, .value = value, .fd = fd};
    struct kvm_doorbell *is;
    bool done;

    pthread_mutex_lock(&b->lock);
    is = find(b, address, value);
    if (is != NULL && is->fd != fd) {
        tell(b, is, false); /* when it returns, no vCPU is about to write to it any more */
        *is = b->bells[--b->n];
        is = NULL;
    }
    done = is != NULL || fd < 0 || add(b, &wanted);
    pthread_mutex_unlock(&b->lock);
    return done;
}
