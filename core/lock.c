/* SPDX-License-Identifier: MIT */
#include <vcons/lock.h>

void vc_lock_taking(const struct vc_lock_env *env, const void *lock, enum vc_lock_rank rank, uint32_t order)
{
    struct vc_lock_held *held = env->held();

    if (held->n == VC_LOCKS_HELD_MAX) {
        env->wrong(held, lock, true);
        return;
    }
    if (held->n > 0) {
        uint32_t last = held->at[held->n - 1].rank, last_order = held->at[held->n - 1].order;

        /* A domain may be its own peer: its lock is taken once then, never twice. */
        if (rank < last || (rank == last && (order <= last_order || rank == VC_RANK_VCPU)))
            env->wrong(held, lock, true);
    }
    held->at[held->n].lock = lock;
    held->at[held->n].rank = rank;
    held->at[held->n++].order = order;
}

void vc_lock_dropping(const struct vc_lock_env *env, const void *lock)
{
    struct vc_lock_held *held = env->held();

    if (held->n == 0 || held->at[held->n - 1].lock != lock)
        env->wrong(held, lock, false);
    else
        held->n--;
}
