// SPDX-License-Identifier: GPL-2.0
/*
 * write(2) and write-back. Both go to the lower file before they return, as the module's own do, so that
 * an error of the lower file is the caller's: only then does a file grow.
 *
 * Folios of one file are locked in ascending order, here as in write-back of any file.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include <linux/writeback.h>
#include "ecryptfs_kernel.h"

/* Not from the pages' own pool, and not at any price: see GFP_BATCH. */
#define GFP_PAGE (GFP_NOFS | __GFP_NOWARN | __GFP_NORETRY)

/* A slot with a page for what goes to the lower file. */
static struct ecryptfs_batch_slot *add_page(struct ecryptfs_batch *batch)
{
	struct page *page = alloc_page(GFP_PAGE);
	struct ecryptfs_batch_slot *slot = page ? ecryptfs_batch_add(batch) : NULL;
	struct bio_vec *vec;

	if (!slot) {
		if (page)
			__free_page(page);
		return NULL;
	}
	slot->page = page;
	vec = &batch->vec[batch->count - 1];
	vec->bv_page = page;
	vec->bv_len = PAGE_SIZE;
	vec->bv_offset = 0;
	return slot;
}

/*
 * Writes a run of encrypted pages from `first` on, before `end`, that follow each other in the file.
 * Returns the first slot that was not written; it is `first` when its request failed, or its write.
 */
static unsigned int write_run(struct ecryptfs_batch *batch, unsigned int first, unsigned int end)
{
	pgoff_t index = batch->slot[first]->writing->index;
	unsigned int n = 0;

	end = min(end, first + ECRYPTFS_BATCH_PIECE);
	/* The last first: the others have mostly ended when it has, and nobody is woken for them. */
	ecryptfs_batch_wait(batch->slot[end - 1]);
	while (first + n < end && batch->slot[first + n]->writing->index == index + n &&
	       !ecryptfs_batch_wait(batch->slot[first + n]))
		n++;
	return first + (n ? ecryptfs_batch_lower(batch, first, n, index, WRITE) : 0);
}

static void release(struct folio *folio)
{
	folio_unlock(folio);
	folio_put(folio);
}

/* --- write(2) --- */

/* What is not in the lower file must not be read from memory; of a mapped page that can't be helped. */
static void forget(struct folio *folio)
{
	if (folio_test_uptodate(folio) && !folio_mapped(folio) && !folio_test_dirty(folio))
		folio_clear_uptodate(folio);
}

/* The caller's bytes, as many as are in memory: a fault might want a folio that is locked here. */
static size_t take_bytes(struct folio *folio, struct iov_iter *from)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return copy_folio_from_iter_atomic(folio, 0, PAGE_SIZE, from);
#else
	return copy_page_from_iter_atomic(&folio->page, 0, PAGE_SIZE, from);
#endif
}

/* Locks the file's folio for a slot and gives it the caller's bytes; or does neither. */
static bool fill(struct ecryptfs_batch_slot *slot, pgoff_t index, struct iov_iter *from)
{
	struct address_space *mapping = slot->batch->inode->i_mapping;
	struct folio *folio =
		__filemap_get_folio(mapping, index, FGP_LOCK | FGP_WRITE | FGP_CREAT | FGP_STABLE,
				    mapping_gfp_constraint(mapping, ~__GFP_FS));
	size_t bytes;

	if (IS_ERR_OR_NULL(folio))
		return false;
	bytes = take_bytes(folio, from);
	flush_dcache_folio(folio);
	if (bytes < PAGE_SIZE) {
		iov_iter_revert(from, bytes);
		forget(folio);
		release(folio);
		return false;
	}
	slot->writing = folio;
	return true;
}

/*
 * Fills as many folios as the batch has room for; returns how many. They are submitted piece by piece: the
 * first are computed while the next are filled.
 */
static unsigned int fill_all(struct ecryptfs_batch *batch, pgoff_t index, struct iov_iter *from)
{
	struct ecryptfs_batch_slot *slot;
	unsigned int filled = 0, submitted = 0, end;

	do {
		end = min(filled + ECRYPTFS_BATCH_PIECE, batch->room);
		while (filled < end && (slot = add_page(batch)) && fill(slot, index + filled, from))
			filled++;
		for (; submitted < filled; submitted++) {
			slot = batch->slot[submitted];
			ecryptfs_batch_submit(slot, index + submitted, folio_page(slot->writing, 0),
					      slot->page, WRITE);
		}
	} while (filled == end && filled < batch->room);
	return filled;
}

/* The file's new size, in memory and in its header. */
static int grow(struct inode *inode, loff_t end)
{
	if (end > i_size_read(inode))
		i_size_write(inode, end);
	return ecryptfs_write_inode_size_to_metadata(inode);
}

/*
 * Writes whole pages from a page's start on, not beyond the file's end. Returns the bytes written; zero
 * when the module's own function is to write the next page and to tell what is wrong with it.
 */
static ssize_t write_pages(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	pgoff_t index = iocb->ki_pos >> PAGE_SHIFT;
	struct ecryptfs_batch *batch = ecryptfs_batch_start(inode, iov_iter_count(from) >> PAGE_SHIFT);
	unsigned int i, filled, next, done = 0;
	ssize_t rc = 0;

	if (!batch)
		return 0;
	/* What is not there afterwards ends the batch before it. */
	fault_in_iov_iter_readable(from, (size_t)batch->room << PAGE_SHIFT);
	filled = fill_all(batch, index, from);
	while (done < filled && (next = write_run(batch, done, filled)) > done)
		done = next;
	if (done)
		rc = grow(inode, (loff_t)(index + done) << PAGE_SHIFT);
	for (i = 0; i < filled; i++) {
		if (i < done)
			folio_mark_uptodate(batch->slot[i]->writing);
		else
			forget(batch->slot[i]->writing);
		release(batch->slot[i]->writing);
	}
	/* Requests that nobody waited for end with pages of their own. */
	ecryptfs_batch_put(batch);
	iov_iter_revert(from, (size_t)(filled - done) << PAGE_SHIFT);
	if (rc)
		return rc;
	iocb->ki_pos += (loff_t)done << PAGE_SHIFT;
	return (ssize_t)done << PAGE_SHIFT;
}

/* The module's own way, for some of the bytes. */
static ssize_t write_stock(struct kiocb *iocb, struct iov_iter *from, size_t bytes)
{
	size_t rest = iov_iter_count(from) - bytes;
	ssize_t rc;

	iov_iter_truncate(from, bytes);
	rc = __generic_file_write_iter(iocb, from);
	iov_iter_reexpand(from, iov_iter_count(from) + rest);
	return rc;
}

/* Whole pages in batches; a beginning or an end that is none, and what makes a hole, the module's way. */
static ssize_t write_all(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t rc, written = 0;

	rc = file_remove_privs(iocb->ki_filp);
	if (!rc)
		rc = file_update_time(iocb->ki_filp);
	if (rc)
		return rc;
	while (iov_iter_count(from)) {
		size_t left = iov_iter_count(from);
		size_t bytes = min_t(size_t, left, PAGE_SIZE - offset_in_page(iocb->ki_pos));

		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		rc = 0;
		if (bytes == PAGE_SIZE && left >= 2 * PAGE_SIZE && iocb->ki_pos <= i_size_read(inode))
			rc = write_pages(iocb, from);
		if (!rc) {
			rc = write_stock(iocb, from, bytes);
			if (rc > 0 && rc < bytes) {
				written += rc;
				break;
			}
		}
		if (rc <= 0)
			break;
		written += rc;
		cond_resched();
	}
	return written ? written : rc;
}

ssize_t ecryptfs_batch_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t rc;

	if (iov_iter_count(from) < 2 * PAGE_SIZE || !ecryptfs_batch_takes(inode) ||
	    (iocb->ki_flags & (IOCB_DIRECT | IOCB_NOWAIT)))
		return generic_file_write_iter(iocb, from);
	inode_lock(inode);
	rc = generic_write_checks(iocb, from);
	if (rc > 0)
		rc = write_all(iocb, from);
	inode_unlock(inode);
	if (rc > 0)
		rc = generic_write_sync(iocb, rc);
	return rc;
}

/* --- write-back of mapped pages --- */

/* One page the module's way, which tells what is wrong with it; unlocks it. */
static int write_back_stock(struct folio *folio)
{
	struct address_space *mapping = folio->mapping;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	int rc = ecryptfs_encrypt_page(folio);
#else
	int rc = ecryptfs_encrypt_page(&folio->page);
#endif

	if (rc) {
		folio_clear_uptodate(folio);
		mapping_set_error(mapping, rc);
	} else {
		folio_mark_uptodate(folio);
	}
	folio_unlock(folio);
	return rc;
}

/* Folios collected so far, their requests under way. */
struct collected {
	struct ecryptfs_batch *batch;
	unsigned int count;
};

/* Writes and unlocks all that was collected; the first error. */
static int write_back(struct collected *all)
{
	struct ecryptfs_batch *batch = all->batch;
	unsigned int i = 0, next;
	struct folio *folio;
	int rc, error = 0;

	while (i < all->count) {
		next = write_run(batch, i, all->count);
		if (next == i) {
			folio = batch->slot[i++]->writing;
			rc = write_back_stock(folio);
			folio_put(folio);
			error = error ? error : rc;
		}
		for (; i < next; i++) {
			folio_mark_uptodate(batch->slot[i]->writing);
			release(batch->slot[i]->writing);
		}
	}
	if (batch)
		ecryptfs_batch_put(batch);
	all->batch = NULL;
	all->count = 0;
	return error;
}

/* Takes one locked folio, no longer marked dirty. */
static int collect(struct collected *all, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	struct ecryptfs_batch_slot *slot;
	int rc = 0, error = 0;

	if (all->batch && all->count == all->batch->room)
		error = write_back(all);
	if (!all->batch)
		all->batch = ecryptfs_batch_start(inode, SIZE_MAX);
	slot = all->batch ? add_page(all->batch) : NULL;
	if (!slot) {
		rc = write_back_stock(folio);
		return error ? error : rc;
	}
	folio_get(folio);
	slot->writing = folio;
	all->count++;
	ecryptfs_batch_submit(slot, folio->index, folio_page(folio, 0), slot->page, WRITE);
	return error;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
static int collect_all(struct address_space *mapping, struct writeback_control *wbc,
		       struct collected *all)
{
	struct folio *folio = NULL;
	int rc;

	while ((folio = writeback_iter(mapping, wbc, folio, &rc)))
		rc = collect(all, folio);
	return rc;
}
#else
static int collect_page(struct page *page, struct writeback_control *wbc, void *all)
{
	return collect(all, page_folio(page));
}

static int collect_all(struct address_space *mapping, struct writeback_control *wbc,
		       struct collected *all)
{
	return write_cache_pages(mapping, wbc, collect_page, all);
}
#endif

int ecryptfs_batch_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct collected all = { };
	int rc = collect_all(mapping, wbc, &all);
	int last = write_back(&all);

	return rc ? rc : last;
}
