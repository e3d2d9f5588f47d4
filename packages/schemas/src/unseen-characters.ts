/**
 * Characters that change how other text is shown, or are not seen at all: control (C0, C1, DEL), bidirectional, zero-width, tags,
 * variation selectors, private use, line and paragraph separators, halves of surrogate pairs. Whoever shows to people what agents wrote
 * writes these out.
 */
export const UNSEEN_CHARACTERS = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
