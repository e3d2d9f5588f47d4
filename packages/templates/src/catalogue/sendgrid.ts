import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

export const sendgrid: TemplateInput = {
  name: 'sendgrid',
  version: 1,
  provider: 'twilio-sendgrid',
  title: 'SendGrid Web API v3',
  description:
    'One mail.send can go to a thousand people: rule on request.body.personalizations.size(). The call itself has no limit fields; ' +
    'others tell theirs on every answer. Old campaigns, IP addresses, settings and what is new are other.write.',
  sources: [
    'https://www.twilio.com/docs/sendgrid/api-reference',
    'https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits',
    'https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send',
    'https://www.twilio.com/docs/sendgrid/api-reference/single-sends/schedule-single-send',
    'https://www.twilio.com/docs/sendgrid/api-reference/contacts/export-contacts',
    'https://www.twilio.com/docs/sendgrid/api-reference/api-keys/create-api-keys',
  ],
  baseUrl: 'https://api.sendgrid.com',
  hosts: ['api.sendgrid.com', 'api.eu.sendgrid.com'],
  credential: { type: 'bearer', hint: 'An API key with restricted access: Mail Send alone, where that is all' },
  actions: [
    { name: 'mail.send', methods: ['POST'], paths: ['/v3/mail/send'], risk: 'high' },
    { name: 'mail.batch', methods: ['POST'], paths: ['/v3/mail/batch'], risk: 'low' },
    { name: 'scheduled.read', methods: READ, paths: ['/v3/mail/batch/**', '/v3/user/scheduled_sends/**'], risk: 'low' },
    // Pauses or cancels what is waiting, or lets it go on.
    { name: 'scheduled.write', methods: WRITE, paths: ['/v3/user/scheduled_sends/**'], risk: 'high' },
    {
      name: 'campaigns.read',
      methods: READ,
      paths: ['/v3/marketing/singlesends/**', '/v3/marketing/stats/**'],
      risk: 'low',
    },
    {
      name: 'campaigns.write',
      methods: ['POST', 'PATCH'],
      paths: ['/v3/marketing/singlesends', '/v3/marketing/singlesends/{send}'],
      risk: 'medium',
    },
    {
      name: 'campaigns.send',
      methods: ['PUT'],
      paths: ['/v3/marketing/singlesends/{send}/schedule/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'campaigns.test', methods: ['POST'], paths: ['/v3/marketing/test/send_email'], risk: 'high' },
    // Also takes back a schedule.
    { name: 'campaigns.delete', methods: ['DELETE'], paths: ['/v3/marketing/singlesends/**'], risk: 'high' },
    {
      name: 'contacts.read',
      methods: READ,
      paths: [
        '/v3/marketing/contacts',
        '/v3/marketing/contacts/{contact}',
        '/v3/marketing/contacts/count',
        '/v3/marketing/lists/**',
      ],
      risk: 'medium',
    },
    {
      name: 'contacts.search',
      methods: ['POST'],
      paths: ['/v3/marketing/contacts/search', '/v3/marketing/contacts/search/emails', '/v3/marketing/contacts/batch'],
      risk: 'medium',
    },
    {
      name: 'contacts.export',
      methods: ['GET', 'POST'],
      paths: ['/v3/marketing/contacts/exports/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'contacts.write',
      methods: ['PUT', 'POST', 'PATCH'],
      paths: [
        '/v3/marketing/contacts',
        '/v3/marketing/contacts/imports',
        '/v3/marketing/lists',
        '/v3/marketing/lists/{list}',
      ],
      risk: 'high',
    },
    // One query field deletes them all.
    {
      name: 'contacts.delete',
      methods: ['DELETE'],
      paths: ['/v3/marketing/contacts/**', '/v3/marketing/lists/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'templates.read', methods: READ, paths: ['/v3/templates/**'], risk: 'low' },
    { name: 'templates.write', methods: ['POST', 'PATCH'], paths: ['/v3/templates/**'], risk: 'medium' },
    { name: 'templates.delete', methods: ['DELETE'], paths: ['/v3/templates/**'], risk: 'high' },
    { name: 'suppressions.read', methods: READ, paths: ['/v3/suppression/**', '/v3/asm/**'], risk: 'low' },
    {
      name: 'suppressions.add',
      methods: ['POST'],
      paths: ['/v3/asm/suppressions/global', '/v3/asm/groups/{group}/suppressions'],
      risk: 'medium',
    },
    // After it, mail goes to who did not want any.
    {
      name: 'suppressions.delete',
      methods: ['DELETE'],
      paths: ['/v3/suppression/**', '/v3/asm/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'stats.read',
      methods: READ,
      paths: ['/v3/stats', '/v3/categories/**', '/v3/mailbox_providers/stats', '/v3/scopes'],
      risk: 'low',
    },
    { name: 'activity.read', methods: READ, paths: ['/v3/messages/**'], risk: 'medium' },
    { name: 'keys.read', methods: READ, paths: ['/v3/api_keys/**'], risk: 'medium' },
    { name: 'keys.write', methods: WRITE, paths: ['/v3/api_keys/**'], risk: 'high', approval: 'required' },
    {
      name: 'webhooks.write',
      methods: WRITE,
      paths: ['/v3/user/webhooks/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'senders.write',
      methods: WRITE,
      paths: ['/v3/verified_senders/**', '/v3/senders/**', '/v3/whitelabel/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'access.write',
      methods: WRITE,
      paths: ['/v3/teammates/**', '/v3/subusers/**', '/v3/sso/**', '/v3/access_settings/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [
    {
      statuses: [429],
      when: { header: 'x-ratelimit-remaining', equals: '0' },
      wait: { header: 'x-ratelimit-reset', as: 'epoch-seconds' },
    },
  ],
};
