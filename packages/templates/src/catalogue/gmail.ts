import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

const USER = '/gmail/v1/users/{user}';

function ofUser(...paths: string[]): string[] {
  return paths.map((path) => `${USER}/${path}`);
}

/** A message can be sent in one piece or be uploaded, at once or in parts; each way has its own path. */
function withUploads(...paths: string[]): string[] {
  return ['', '/upload', '/resumable/upload'].flatMap((way) => paths.map((path) => `${way}${USER}/${path}`));
}

export const gmail: TemplateInput = {
  name: 'gmail',
  version: 1,
  provider: 'google-gmail',
  title: 'Gmail API',
  description:
    'To whom a message goes stands inside of an encoded body, so no rule can read it: ask a person, or let agents make drafts. Too ' +
    'much is told by 429, or by 403 with rateLimitExceeded in the body, which no status or header tells from another 403; neither ' +
    'says when to come back.',
  sources: [
    'https://developers.google.com/workspace/gmail/api/reference/rest',
    'https://developers.google.com/workspace/gmail/api/guides/uploads',
    'https://developers.google.com/workspace/gmail/api/guides/batch',
    'https://developers.google.com/workspace/gmail/api/guides/handle-errors',
    'https://developers.google.com/workspace/gmail/api/auth/scopes',
  ],
  baseUrl: 'https://gmail.googleapis.com',
  hosts: ['gmail.googleapis.com'],
  credential: {
    type: 'oauth2_refresh',
    hint: 'tokenUrl https://oauth2.googleapis.com/token; scope gmail.readonly, gmail.compose or gmail.modify, not mail.google.com',
  },
  actions: [
    { name: 'profile.read', methods: READ, paths: ofUser('profile'), risk: 'low' },
    { name: 'labels.read', methods: READ, paths: ofUser('labels/**'), risk: 'low' },
    { name: 'messages.read', methods: READ, paths: ofUser('messages/**', 'threads/**', 'history'), risk: 'medium' },
    { name: 'drafts.read', methods: READ, paths: ofUser('drafts/**'), risk: 'medium' },
    { name: 'settings.read', methods: READ, paths: ofUser('settings/**'), risk: 'medium' },
    { name: 'drafts.create', methods: ['POST'], paths: withUploads('drafts'), risk: 'medium' },
    { name: 'drafts.update', methods: ['PUT'], paths: withUploads('drafts/{draft}'), risk: 'medium' },
    { name: 'drafts.delete', methods: ['DELETE'], paths: ofUser('drafts/{draft}'), risk: 'medium' },
    {
      name: 'messages.send',
      methods: ['POST', 'PUT'],
      paths: withUploads('messages/send', 'messages/send/', 'drafts/send', 'drafts/send/'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'messages.modify',
      methods: ['POST'],
      paths: ofUser(
        'messages/{message}/modify',
        'messages/{message}/trash',
        'messages/{message}/untrash',
        'messages/batchModify',
        'threads/{thread}/modify',
        'threads/{thread}/trash',
        'threads/{thread}/untrash',
      ),
      risk: 'medium',
    },
    // For good, past the trash.
    {
      name: 'messages.delete',
      methods: ['POST', 'DELETE'],
      paths: ofUser(
        'messages/{message}',
        'messages/{message}/',
        'messages/batchDelete/**',
        'threads/{thread}',
        'threads/{thread}/',
      ),
      risk: 'high',
      approval: 'required',
    },
    // Puts a message there that nobody sent.
    {
      name: 'messages.insert',
      methods: ['POST', 'PUT'],
      paths: withUploads('messages', 'messages/', 'messages/import', 'messages/import/'),
      risk: 'high',
      approval: 'required',
    },
    { name: 'labels.write', methods: ['POST', 'PUT', 'PATCH'], paths: ofUser('labels/**'), risk: 'medium' },
    { name: 'labels.delete', methods: ['DELETE'], paths: ofUser('labels/**'), risk: 'high' },
    { name: 'vacation.write', methods: ['PUT'], paths: ofUser('settings/vacation'), risk: 'high' },
    // Sends mail on to others, or lets others in.
    {
      name: 'forwarding.write',
      methods: WRITE,
      paths: ofUser(
        'settings/filters/**',
        'settings/forwardingAddresses/**',
        'settings/autoForwarding/**',
        'settings/delegates/**',
        'settings/imap/**',
        'settings/pop/**',
      ),
      risk: 'high',
      approval: 'required',
    },
    { name: 'aliases.write', methods: WRITE, paths: ofUser('settings/sendAs/**'), risk: 'high', approval: 'required' },
    {
      name: 'watch.write',
      methods: ['POST'],
      paths: ofUser('watch/**', 'stop/**'),
      risk: 'high',
      approval: 'required',
    },
    // Carries further calls in its body.
    { name: 'batch', methods: ['POST'], paths: ['/batch/**'], risk: 'high', approval: 'required' },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429], wait: { header: 'retry-after', as: 'retry-after' } }],
};
