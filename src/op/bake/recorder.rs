//! The object that `dynasm!` writes to, inside a constant.

/// The object that `dynasm!` writes to. Its methods carry the names that the macro's expansion uses.
#[derive(Debug)]
pub struct Recorder<const WORDS: usize, const RELOCATIONS: usize> {
    pub(super) words: [u32; WORDS],
    pub(super) len: usize,
    pub(super) relocations: [Relocation; RELOCATIONS],
    pub(super) relocation_count: usize,
}

/// An instruction with a label: its place in words, the label's number, dynasm-rs's kind of field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relocation {
    pub(super) word: usize,
    pub(super) label: u16,
    pub(super) kind: u8,
}

impl<const WORDS: usize, const RELOCATIONS: usize> Recorder<WORDS, RELOCATIONS> {
    /// An empty recorder.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        const NONE: Relocation = Relocation {
            word: 0,
            label: 0,
            kind: 0,
        };
        Recorder {
            words: [0; WORDS],
            len: 0,
            relocations: [NONE; RELOCATIONS],
            relocation_count: 0,
        }
    }

    /// Called by the expansion: instructions without anything dynamic.
    ///
    /// Whatever is dynamic ends up in other methods of this name's kin (`push_u32`), and there are
    /// none: an instruction that dynasm-rs would check at run time does not compile.
    pub const fn extend<const N: usize>(&mut self, bytes: &[u8; N]) {
        let mut i = 0;
        while i < N {
            let word = [bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]];
            self.words[self.len] = u32::from_le_bytes(word);
            self.len += 1;
            i += 4;
        }
    }

    /// Called by the expansion: the last instruction refers to a label.
    pub const fn dynamic_reloc(
        &mut self,
        label: u16,
        _target_offset: isize,
        _field_offset: u8,
        _ref_offset: u8,
        kind: u8,
    ) {
        // Probes repeat the relocations of their instruction; only the body's own count.
        if self.relocation_count < RELOCATIONS {
            self.relocations[self.relocation_count] = Relocation {
                word: self.len - 1,
                label,
                kind,
            };
            self.relocation_count += 1;
        }
    }
}
