/**
 * Whom a name means, for counting people. Upper and lower case and the forms of Unicode are one person: an agent's `owner` is typed into
 * a file by hand, and a ban that is dodged by a capital letter bans nobody.
 */
export function personKey(name: string): string {
  return name.normalize('NFKC').trim().toLowerCase();
}
