export { decodeEntry, ENTRY_BYTES_MAX, encodeEntry, encodeEntryText } from './encode-entry.ts';
