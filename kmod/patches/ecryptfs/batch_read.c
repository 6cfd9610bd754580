// SPDX-License-Identifier: GPL-2.0
/*
 * Read-ahead: lower pages are read into the file's own pages, which are decrypted in place. Nobody
 * waits here: a page is unlocked when its request is complete, and a reader waits for that page only.
 */
#include <linux/pagemap.h>
#include "ecryptfs_kernel.h"

/* Reads and submits what one batch takes; false when there is nothing left. */
static bool read_some(struct readahead_control *rac)
{
	struct inode *inode = rac->mapping->host;
	struct ecryptfs_batch *batch = ecryptfs_batch_start(inode, readahead_count(rac));
	struct ecryptfs_batch_slot *slot;
	unsigned int i, piece, whole, n = 0;
	struct folio *folio;
	pgoff_t index;

	while (batch && (slot = ecryptfs_batch_add(batch))) {
		folio = readahead_folio(rac);
		if (!folio)
			break;
		slot->reading = folio;
		batch->vec[n].bv_page = folio_page(folio, 0);
		batch->vec[n].bv_len = PAGE_SIZE;
		batch->vec[n].bv_offset = 0;
		n++;
	}
	if (!n) {
		if (batch)
			ecryptfs_batch_put(batch);
		/* Without a batch: one page, as without read-ahead. */
		folio = readahead_folio(rac);
		if (!folio)
			return false;
		rac->mapping->a_ops->read_folio(rac->file, folio);
		return true;
	}
	index = batch->slot[0]->reading->index;
	for (i = 0; i < n; i += piece) {
		piece = min(n - i, (unsigned int)ECRYPTFS_BATCH_PIECE);
		whole = i + ecryptfs_batch_lower(batch, i, piece, index + i, READ);
		for (unsigned int k = i; k < i + piece; k++) {
			slot = batch->slot[k];
			if (k < whole)
				ecryptfs_batch_submit(slot, index + k, batch->vec[k].bv_page,
						      batch->vec[k].bv_page, READ);
			else
				/* Not up to date: whoever wants it asks the module's own function. */
				folio_unlock(slot->reading);
		}
	}
	ecryptfs_batch_put(batch);
	return true;
}

void ecryptfs_batch_readahead(struct readahead_control *rac)
{
	while (read_some(rac))
		cond_resched();
}
