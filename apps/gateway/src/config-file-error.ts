/** A start-up file that cannot be used; the message has a line for every fault, with file, line and field. */
export class ConfigFileError extends Error {
  override readonly name = 'ConfigFileError';
}
