import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { sendgrid } from './sendgrid.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: sendgrid,
    domains: ['twilio.com'],
    lines: [
      ['POST', '/v3/mail/send', 'mail.send'],
      ['POST', '/v3/mail/batch', 'mail.batch'],
      ['GET', '/v3/user/scheduled_sends', 'scheduled.read'],
      ['POST', '/v3/user/scheduled_sends', 'scheduled.write'],
      ['GET', '/v3/marketing/singlesends', 'campaigns.read'],
      ['POST', '/v3/marketing/singlesends', 'campaigns.write'],
      ['PATCH', '/v3/marketing/singlesends/27c21bbf', 'campaigns.write'],
      ['PUT', '/v3/marketing/singlesends/27c21bbf/schedule', 'campaigns.send'],
      ['POST', '/v3/marketing/test/send_email', 'campaigns.test'],
      ['DELETE', '/v3/marketing/singlesends/27c21bbf/schedule', 'campaigns.delete'],
      ['GET', '/v3/marketing/contacts', 'contacts.read'],
      ['GET', '/v3/marketing/lists/27c21bbf/contacts/count', 'contacts.read'],
      ['POST', '/v3/marketing/contacts/search', 'contacts.search'],
      ['POST', '/v3/marketing/contacts/search/emails', 'contacts.search'],
      ['POST', '/v3/marketing/contacts/exports', 'contacts.export'],
      ['GET', '/v3/marketing/contacts/exports/27c21bbf', 'contacts.export'],
      ['PUT', '/v3/marketing/contacts', 'contacts.write'],
      ['DELETE', '/v3/marketing/contacts?delete_all_contacts=true', 'contacts.delete'],
      ['DELETE', '/v3/marketing/lists/27c21bbf', 'contacts.delete'],
      ['GET', '/v3/templates?generations=dynamic', 'templates.read'],
      ['POST', '/v3/templates/733ba07f/versions', 'templates.write'],
      ['DELETE', '/v3/templates/733ba07f', 'templates.delete'],
      ['GET', '/v3/suppression/bounces', 'suppressions.read'],
      ['POST', '/v3/asm/groups/4653/suppressions', 'suppressions.add'],
      ['DELETE', '/v3/suppression/bounces', 'suppressions.delete'],
      ['DELETE', '/v3/asm/suppressions/global/someone@example.com', 'suppressions.delete'],
      ['GET', '/v3/stats?start_date=2026-01-01', 'stats.read'],
      ['GET', '/v3/messages?limit=10', 'activity.read'],
      ['GET', '/v3/api_keys', 'keys.read'],
      ['POST', '/v3/api_keys', 'keys.write'],
      ['PATCH', '/v3/user/webhooks/event/settings', 'webhooks.write'],
      ['POST', '/v3/verified_senders', 'senders.write'],
      ['POST', '/v3/whitelabel/domains', 'senders.write'],
      ['POST', '/v3/teammates', 'access.write'],
      ['PATCH', '/v3/mail_settings/footer', 'other.write'],
    ],
  });
  expect(faults).toEqual([]);
});
