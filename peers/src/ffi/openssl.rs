//! OpenSSL's libcrypto: loading, providers, cipher contexts.
#![allow(non_snake_case)] // Fields have the names of the functions they hold.

use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_ulong, c_void};
use std::ptr::{self, NonNull};

use super::{Loaded, functions, text};
use crate::openssl::NAME;
use crate::{PeerError, search};

functions! {
    /// `openssl/crypto.h`, `provider.h`, `evp.h`, `err.h`.
    struct OpenSslFunctions {
        OPENSSL_init_crypto: unsafe extern "C" fn(u64, *const c_void) -> c_int,
        OpenSSL_version: unsafe extern "C" fn(c_int) -> *const c_char,
        OSSL_LIB_CTX_new: unsafe extern "C" fn() -> *mut c_void,
        OSSL_PROVIDER_set_default_search_path: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
        OSSL_PROVIDER_load: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void,
        EVP_CIPHER_fetch: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *mut c_void,
        EVP_CIPHER_free: unsafe extern "C" fn(*mut c_void),
        EVP_CIPHER_CTX_new: unsafe extern "C" fn() -> *mut c_void,
        EVP_CIPHER_CTX_free: unsafe extern "C" fn(*mut c_void),
        EVP_CIPHER_CTX_set_key_length: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
        EVP_CIPHER_CTX_get_key_length: unsafe extern "C" fn(*const c_void) -> c_int,
        EVP_CIPHER_CTX_get_iv_length: unsafe extern "C" fn(*const c_void) -> c_int,
        EVP_CIPHER_CTX_set_padding: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
        EVP_CipherInit_ex2: unsafe extern "C" fn(*mut c_void, *const c_void, *const c_uchar, *const c_uchar, c_int, *const c_void) -> c_int,
        EVP_CipherUpdate: unsafe extern "C" fn(*mut c_void, *mut c_uchar, *mut c_int, *const c_uchar, c_int) -> c_int,
        ERR_get_error: unsafe extern "C" fn() -> c_ulong,
        ERR_clear_error: unsafe extern "C" fn(),
        ERR_error_string_n: unsafe extern "C" fn(c_ulong, *mut c_char, usize),
    }
}

/// libcrypto with a library context of its own, untouched by the machine's configuration.
///
/// # Invariants
/// `context` is never freed.
pub(crate) struct OpenSsl {
    f: OpenSslFunctions,
    context: NonNull<c_void>,
    pub(crate) version: String,
    /// Why the provider of old ciphers is not there.
    pub(crate) no_legacy: Option<String>,
}

// SAFETY: OpenSSL's library contexts are made for use by many threads at once (their fetches take
// locks), and the function table is constant.
unsafe impl Send for OpenSsl {}
// SAFETY: as above.
unsafe impl Sync for OpenSsl {}

/// `OPENSSL_INIT_NO_ATEXIT`: nothing is torn down at exit under threads that still compute.
const OPENSSL_INIT_NO_ATEXIT: u64 = 0x0008_0000;
/// `OPENSSL_VERSION_STRING`.
const OPENSSL_VERSION_STRING: c_int = 6;

impl OpenSsl {
    /// Loads the library and its providers.
    pub(crate) fn load() -> Result<Self, PeerError> {
        const FILE: &str = "libcrypto.so.3";
        let folder = search::bundled();
        let f = OpenSslFunctions::of(Loaded::open(folder.as_deref(), FILE, "libssl3")?)?;
        let unusable = |why: String| PeerError::Unusable { library: FILE, why };
        // SAFETY: no settings are given.
        if unsafe { (f.OPENSSL_init_crypto)(OPENSSL_INIT_NO_ATEXIT, ptr::null()) } != 1 {
            return Err(unusable(openssl_why(&f)));
        }
        // SAFETY: no arguments; the context is never freed.
        let context = NonNull::new(unsafe { (f.OSSL_LIB_CTX_new)() })
            .ok_or_else(|| unusable(openssl_why(&f)))?;
        let modules = folder.map(|folder| folder.join("ossl-modules"));
        if let Some(path) = modules.filter(|path| path.is_dir())
            && let Ok(path) = CString::new(path.into_os_string().into_encoded_bytes())
        {
            // SAFETY: a context and a string that the library copies.
            unsafe { (f.OSSL_PROVIDER_set_default_search_path)(context.as_ptr(), path.as_ptr()) };
        }
        // SAFETY: a context and a constant string. The providers stay loaded with the context.
        let provider = |name: &CStr| unsafe {
            (f.ERR_clear_error)();
            (f.OSSL_PROVIDER_load)(context.as_ptr(), name.as_ptr())
        };
        if provider(c"default").is_null() {
            return Err(unusable(openssl_why(&f)));
        }
        let no_legacy = provider(c"legacy").is_null().then(|| {
            format!(
                "no old ciphers: the provider `legacy` cannot be loaded ({})",
                openssl_why(&f)
            )
        });
        Ok(Self {
            f,
            context,
            // SAFETY: the library's strings are constant.
            version: unsafe { text((f.OpenSSL_version)(OPENSSL_VERSION_STRING)) },
            no_legacy,
        })
    }

    /// Expands a key for a cipher by its name.
    pub(crate) fn open_handle(
        &self,
        name: &CStr,
        key: &[u8],
        decrypts: bool,
    ) -> Result<EvpHandle, PeerError> {
        let f = self.f;
        let failed = |call| openssl_failed(&f, call);
        // SAFETY: no arguments.
        let context = NonNull::new(unsafe { (f.EVP_CIPHER_CTX_new)() })
            .ok_or_else(|| failed("EVP_CIPHER_CTX_new"))?;
        let mut handle = EvpHandle {
            f,
            context,
            iv_len: 0,
        };
        let raw = context.as_ptr();
        let null = ptr::null();
        // SAFETY: our own context, a constant string, no properties.
        let cipher = unsafe { (f.EVP_CIPHER_fetch)(self.context.as_ptr(), name.as_ptr(), null) };
        if cipher.is_null() {
            return Err(failed("EVP_CIPHER_fetch"));
        }
        let enc = c_int::from(!decrypts);
        // SAFETY: a new context and a fetched cipher, of which the context takes a reference of
        // its own; ours is given back.
        let ok = unsafe {
            let ok =
                (f.EVP_CipherInit_ex2)(raw, cipher, null.cast(), null.cast(), enc, null.cast());
            (f.EVP_CIPHER_free)(cipher);
            ok
        };
        if ok != 1 {
            return Err(failed("EVP_CipherInit_ex2"));
        }
        let length = PeerError::Length {
            peer: NAME,
            what: "a key",
            len: key.len(),
        };
        let Ok(len) = c_int::try_from(key.len()) else {
            return Err(length);
        };
        // SAFETY: a context with a cipher. Setting the length it has already is allowed.
        let taken = unsafe {
            (f.EVP_CIPHER_CTX_set_key_length)(raw, len) == 1
                && (f.EVP_CIPHER_CTX_get_key_length)(raw) == len
        };
        if !taken {
            return Err(length);
        }
        // SAFETY: a context with a cipher, which reads as many key bytes as was just checked that
        // the key has.
        let ok = unsafe {
            (f.ERR_clear_error)();
            (f.EVP_CipherInit_ex2)(
                raw,
                null.cast(),
                key.as_ptr(),
                null.cast(),
                enc,
                null.cast(),
            )
        };
        if ok != 1 {
            return Err(PeerError::Refused {
                peer: NAME,
                why: openssl_why(&f),
            });
        }
        // SAFETY: a context with a cipher.
        let iv_len = unsafe {
            (f.EVP_CIPHER_CTX_set_padding)(raw, 0);
            (f.EVP_CIPHER_CTX_get_iv_length)(raw)
        };
        handle.iv_len =
            usize::try_from(iv_len).map_err(|_| failed("EVP_CIPHER_CTX_get_iv_length"))?;
        Ok(handle)
    }
}

/// The library's oldest error of this thread, in its words.
fn openssl_why(f: &OpenSslFunctions) -> String {
    let mut buffer: [c_char; 256] = [0; 256];
    // SAFETY: the library writes at most the buffer's length, an ending 0 included.
    unsafe {
        (f.ERR_error_string_n)((f.ERR_get_error)(), buffer.as_mut_ptr(), buffer.len());
        text(buffer.as_ptr())
    }
}

fn openssl_failed(f: &OpenSslFunctions, call: &'static str) -> PeerError {
    PeerError::Failed {
        peer: NAME,
        call,
        why: openssl_why(f),
    }
}

/// A cipher context with its key set, without padding.
///
/// # Invariants
/// `context` is open, its cipher reads `iv_len` bytes of an IV, and it is used by one thread at a
/// time: it is reached through `&mut self` only.
pub(crate) struct EvpHandle {
    f: OpenSslFunctions,
    context: NonNull<c_void>,
    iv_len: usize,
}

// SAFETY: cipher contexts belong to no thread; they must only not be used by two at once, which the
// absence of `Sync` and of `Clone` rules out.
unsafe impl Send for EvpHandle {}

impl EvpHandle {
    /// Starts over with an IV of exactly the cipher's length.
    pub(crate) fn set_iv(&mut self, iv: &[u8]) -> Result<(), PeerError> {
        if iv.len() != self.iv_len {
            return Err(PeerError::Length {
                peer: NAME,
                what: "an IV",
                len: iv.len(),
            });
        }
        if iv.is_empty() {
            return Ok(());
        }
        let (raw, null) = (self.context.as_ptr(), ptr::null());
        // SAFETY: an open context whose cipher reads `iv_len` bytes, which the IV has. The key and
        // the direction (-1) stay.
        let ok =
            unsafe { (self.f.EVP_CipherInit_ex2)(raw, null, ptr::null(), iv.as_ptr(), -1, null) };
        if ok == 1 {
            Ok(())
        } else {
            Err(openssl_failed(&self.f, "EVP_CipherInit_ex2"))
        }
    }

    /// Computes data in place.
    pub(crate) fn update(&mut self, data: &mut [u8]) -> Result<(), PeerError> {
        let Ok(len) = c_int::try_from(data.len()) else {
            return Err(PeerError::Length {
                peer: NAME,
                what: "data",
                len: data.len(),
            });
        };
        let at = data.as_mut_ptr();
        let mut written = 0;
        // SAFETY: an open context. Without padding and with nothing kept back from earlier data (the
        // caller gives whole blocks, or the cipher is a stream) it writes as much as it reads; input
        // and output are the same bytes, which the library allows.
        let ok = unsafe {
            (self.f.EVP_CipherUpdate)(self.context.as_ptr(), at, &raw mut written, at, len)
        };
        if ok == 1 && written == len {
            Ok(())
        } else {
            Err(openssl_failed(&self.f, "EVP_CipherUpdate"))
        }
    }
}

impl Drop for EvpHandle {
    fn drop(&mut self) {
        // SAFETY: an open context, freed once. The library clears it.
        unsafe { (self.f.EVP_CIPHER_CTX_free)(self.context.as_ptr()) }
    }
}
