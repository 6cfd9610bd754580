// SPDX-License-Identifier: GPL-2.0
/*
 * A batch: a request to the crypto API for each page, all submitted before the first is waited for.
 * Knows nothing of why a page is read or written, nor what is done when a request fails.
 */
#include <linux/backing-dev.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include "ecryptfs_kernel.h"

/* A batch is worth having, not worth waiting for: without it the work is done page by page. */
#define GFP_BATCH (GFP_NOFS | __GFP_NOWARN | __GFP_NORETRY)

/* More would need tables of several pages. */
#define MOST 1024u

static unsigned int batch_extents = 512;
module_param(batch_extents, uint, 0644);
MODULE_PARM_DESC(batch_extents, "Extents submitted together, at most 1024; 0: one after the other, as stock");

static unsigned int most_in_flight;
module_param(most_in_flight, uint, 0644);
MODULE_PARM_DESC(most_in_flight, "Most requests of batches that were under way at one time; write 0 to begin anew");

static atomic_t in_flight = ATOMIC_INIT(0);

struct address_space_operations ecryptfs_batch_aops;
struct file_operations ecryptfs_batch_fops;

/* The module's own operations with ours in place of three. */
void ecryptfs_batch_init(void)
{
	ecryptfs_batch_aops = ecryptfs_aops;
	ecryptfs_batch_aops.readahead = ecryptfs_batch_readahead;
	ecryptfs_batch_aops.writepages = ecryptfs_batch_writepages;
	ecryptfs_batch_fops = ecryptfs_main_fops;
	ecryptfs_batch_fops.write_iter = ecryptfs_batch_write_iter;
}

static unsigned int batch_size(void)
{
	return min(READ_ONCE(batch_extents), MOST);
}

/* Read-ahead is where a reader's batches come from: as many pages as a batch takes. */
void ecryptfs_batch_read_ahead(struct super_block *sb)
{
	sb->s_bdi->ra_pages = max_t(unsigned long, sb->s_bdi->ra_pages, batch_size());
}

/* The same as before each request of the module's own. */
static int set_key(struct ecryptfs_crypt_stat *crypt_stat)
{
	int rc = 0;

	mutex_lock(&crypt_stat->cs_tfm_mutex);
	if (!crypt_stat->tfm) {
		rc = -EINVAL;
	} else if (!(crypt_stat->flags & ECRYPTFS_KEY_SET)) {
		rc = crypto_skcipher_setkey(crypt_stat->tfm, crypt_stat->key, crypt_stat->key_size);
		if (!rc)
			crypt_stat->flags |= ECRYPTFS_KEY_SET;
	}
	mutex_unlock(&crypt_stat->cs_tfm_mutex);
	return rc;
}

/* Whether a file's extents are pages that lie in the lower file one after the other, and batches are on. */
bool ecryptfs_batch_takes(struct inode *inode)
{
	struct ecryptfs_crypt_stat *crypt_stat = &ecryptfs_inode_to_private(inode)->crypt_stat;
	const u32 asked = ECRYPTFS_ENCRYPTED | ECRYPTFS_METADATA_IN_XATTR | ECRYPTFS_VIEW_AS_ENCRYPTED;

	return batch_size() && (crypt_stat->flags & asked) == ECRYPTFS_ENCRYPTED &&
	       crypt_stat->extent_size == PAGE_SIZE && ecryptfs_inode_to_private(inode)->lower_file;
}

/*
 * The lower file with a reference, or NULL. Whoever closes the upper file last lets go of it, and write-back may be at work
 * then: it waits for pages that are dirty, and those of a batch no longer are. The module's lock is held there.
 */
static struct file *lower_file(struct inode *inode)
{
	struct ecryptfs_inode_info *info = ecryptfs_inode_to_private(inode);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return get_file_active(&info->lower_file);
#else
	struct file *file;

	rcu_read_lock();
	file = READ_ONCE(info->lower_file);
	if (file && !get_file_rcu(file))
		file = NULL;
	rcu_read_unlock();
	return file;
#endif
}

/*
 * An empty batch for at most so many pages of a file; NULL where the file is none for it, or memory is
 * short: the caller then does what the module does without us.
 */
struct ecryptfs_batch *ecryptfs_batch_start(struct inode *inode, size_t pages)
{
	struct ecryptfs_crypt_stat *crypt_stat = &ecryptfs_inode_to_private(inode)->crypt_stat;
	unsigned int room = min_t(size_t, pages, batch_size());
	struct ecryptfs_batch *batch;

	if (!room || !ecryptfs_batch_takes(inode) || set_key(crypt_stat))
		return NULL;
	batch = kmalloc(struct_size(batch, slot, room), GFP_BATCH);
	if (!batch)
		return NULL;
	batch->vec = kmalloc_array(room, sizeof(*batch->vec), GFP_BATCH);
	if (!batch->vec) {
		kfree(batch);
		return NULL;
	}
	batch->lower = lower_file(inode);
	if (!batch->lower) {
		kfree(batch->vec);
		kfree(batch);
		return NULL;
	}
	refcount_set(&batch->refs, 1);
	init_waitqueue_head(&batch->wait);
	batch->awaited = NULL;
	batch->inode = inode;
	batch->tfm = crypt_stat->tfm;
	batch->count = 0;
	batch->room = room;
	return batch;
}

/* One more slot with a page of its own; NULL when the batch is full or memory is short. */
struct ecryptfs_batch_slot *ecryptfs_batch_add(struct ecryptfs_batch *batch)
{
	struct ecryptfs_batch_slot *slot;

	if (batch->count == batch->room)
		return NULL;
	slot = kmalloc(sizeof(*slot) + crypto_skcipher_reqsize(batch->tfm), GFP_BATCH);
	if (!slot)
		return NULL;
	slot->batch = batch;
	slot->reading = NULL;
	slot->writing = NULL;
	slot->page = NULL;
	slot->state = 0;
	batch->slot[batch->count++] = slot;
	return slot;
}

/* May be called from a completion: nothing here sleeps. */
static void put(struct ecryptfs_batch *batch)
{
	unsigned int i;

	if (!refcount_dec_and_test(&batch->refs))
		return;
	for (i = 0; i < batch->count; i++) {
		if (batch->slot[i]->page)
			__free_page(batch->slot[i]->page);
		/* Ciphers keep intermediate values there. */
		kfree_sensitive(batch->slot[i]);
	}
	kfree(batch->vec);
	kfree(batch);
}

/* Its maker is done with it and with the lower file; requests may still be under way. */
void ecryptfs_batch_put(struct ecryptfs_batch *batch)
{
	fput(batch->lower);
	put(batch);
}

static void ended(struct ecryptfs_batch_slot *slot, int rc)
{
	struct ecryptfs_batch *batch = slot->batch;
	struct folio *folio = slot->reading;

	atomic_dec(&in_flight);
	if (folio) {
		/* After an error the reader finds it not up to date and asks the module's own function. */
		if (!rc) {
			flush_dcache_folio(folio);
			folio_mark_uptodate(folio);
		}
		folio_unlock(folio);
	}
	smp_store_release(&slot->state, rc > 0 ? -EIO : rc);
	/* The state comes before the look who is waited for; the waiter has it the other way round. */
	smp_mb();
	if (READ_ONCE(batch->awaited) == slot)
		wake_up(&batch->wait);
	put(batch);
}

/* The module's exit waits for all RCU work after its last file is gone: a completion that ended a folio has left. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
static void completed(void *data, int rc)
{
#else
static void completed(struct crypto_async_request *areq, int rc)
{
	void *data = areq->data;
#endif
	/* Only out of the backlog. */
	if (rc != -EINPROGRESS)
		ended(data, rc);
}

static int derive_iv(struct ecryptfs_batch_slot *slot, pgoff_t index)
{
	struct ecryptfs_crypt_stat *crypt_stat =
		&ecryptfs_inode_to_private(slot->batch->inode)->crypt_stat;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	ecryptfs_derive_iv(slot->iv, crypt_stat, index);
	return 0;
#else
	return ecryptfs_derive_iv(slot->iv, crypt_stat, index);
#endif
}

/* Starts the slot's request; its outcome, also an immediate one, is the slot's state or its folio's. */
void ecryptfs_batch_submit(struct ecryptfs_batch_slot *slot, pgoff_t index,
			   struct page *src, struct page *dst, int rw)
{
	unsigned int now = atomic_inc_return(&in_flight);
	unsigned int most = READ_ONCE(most_in_flight);
	int rc;

	while (now > most && !try_cmpxchg(&most_in_flight, &most, now))
		;
	refcount_inc(&slot->batch->refs);
	slot->state = ECRYPTFS_BATCH_PENDING;
	rc = derive_iv(slot, index);
	if (rc) {
		ended(slot, rc);
		return;
	}
	sg_init_table(&slot->src, 1);
	sg_init_table(&slot->dst, 1);
	sg_set_page(&slot->src, src, PAGE_SIZE, 0);
	sg_set_page(&slot->dst, dst, PAGE_SIZE, 0);
	skcipher_request_set_tfm(&slot->req, slot->batch->tfm);
	skcipher_request_set_callback(&slot->req,
				      CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP,
				      completed, slot);
	skcipher_request_set_crypt(&slot->req, &slot->src, &slot->dst, PAGE_SIZE, slot->iv);
	rc = rw == WRITE ? crypto_skcipher_encrypt(&slot->req) : crypto_skcipher_decrypt(&slot->req);
	/* Busy: it waits in the backlog. */
	if (rc != -EINPROGRESS && rc != -EBUSY)
		ended(slot, rc);
}

/* Waits for a slot's request; zero or its error. The caller holds the batch. */
int ecryptfs_batch_wait(struct ecryptfs_batch_slot *slot)
{
	/* Stays so afterwards: a slot ends once. */
	WRITE_ONCE(slot->batch->awaited, slot);
	wait_event(slot->batch->wait,
		   smp_load_acquire(&slot->state) != ECRYPTFS_BATCH_PENDING);
	return slot->state;
}

/*
 * Reads or writes pages of the lower file, `index` being the first's in the upper one, from or into
 * the batch's `vec`. Returns how many were transferred whole: what an error or an end left over is
 * told by the module's own function when the caller comes to it.
 */
unsigned int ecryptfs_batch_lower(struct ecryptfs_batch *batch, unsigned int first,
				  unsigned int pages, pgoff_t index, int rw)
{
	struct ecryptfs_inode_info *info = ecryptfs_inode_to_private(batch->inode);
	loff_t pos = ecryptfs_lower_header_size(&info->crypt_stat) + ((loff_t)index << PAGE_SHIFT);
	struct iov_iter iter;
	ssize_t rc;

	iov_iter_bvec(&iter, rw, batch->vec + first, pages, (size_t)pages << PAGE_SHIFT);
	if (rw == READ) {
		rc = vfs_iter_read(batch->lower, &iter, &pos, 0);
	} else {
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
		/* Later ones do so themselves. */
		file_start_write(batch->lower);
#endif
		rc = vfs_iter_write(batch->lower, &iter, &pos, 0);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
		file_end_write(batch->lower);
#endif
		mark_inode_dirty_sync(batch->inode);
	}
	return rc > 0 ? rc >> PAGE_SHIFT : 0;
}
