
# From here on every script is the same.
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

function Get-Moment {
    return [DateTime]::UtcNow.ToString('s')
}

# One line of JSON, in ASCII: so no encoding on its way changes it.
function Write-Line([hashtable]$Line) {
    $Line.nonce = $Nonce
    $json = ConvertTo-Json -InputObject $Line -Compress -Depth 6
    $ascii = ''
    foreach ($character in $json.ToCharArray()) {
        $code = [int]$character
        if ($code -gt 126) {
            $ascii += '\u{0:x4}' -f $code
        } else {
            $ascii += [string]$character
        }
    }
    Write-Output $ascii
}

# The one mailbox that has this name, if it has the address.
function Find-Mailbox([hashtable]$Person) {
    $found = @(Get-Mailbox -Identity $Person.Account -ResultSize 2 -ErrorAction Stop)
    if ($found.Count -ne 1) {
        throw "$($found.Count) mailboxes have this name"
    }
    $has = $false
    foreach ($address in $found[0].EmailAddresses) {
        if (([string]$address) -eq ('smtp:' + $Person.Address)) {
            $has = $true
        }
    }
    if (-not $has) {
        throw 'the mailbox of this name does not have the address'
    }
    return $found[0]
}

# What a mailbox says of where its mail goes.
function Get-State($Mailbox) {
    $state = @{
        guid = [string]$Mailbox.Guid
        smtp = [string]$Mailbox.ForwardingSmtpAddress
        recipient = ''
        recipient_address = ''
        keeps = [bool]$Mailbox.DeliverToMailboxAndForward
        marker = [string]$Mailbox.MarkerAttribute
    }
    $name = [string]$Mailbox.ForwardingAddress
    if ($name -ne '') {
        $recipients = @(Get-Recipient -Identity $name -ResultSize 2 -ErrorAction Stop)
        if ($recipients.Count -ne 1) {
            throw "$($recipients.Count) recipients have the name that ForwardingAddress holds"
        }
        $state.recipient = [string]$recipients[0].Guid
        $state.recipient_address = [string]$recipients[0].PrimarySmtpAddress
        $external = [string]$recipients[0].ExternalEmailAddress
        if ($external -like 'smtp:*') {
            $state.recipient_address = $external.Substring(5)
        }
    }
    if ($Closes.Count -gt 0) {
        $cas = Get-CASMailbox -Identity ([string]$Mailbox.Guid) -ErrorAction Stop
        $ways = @{
            activesync = ([string]$cas.ActiveSyncEnabled).ToLowerInvariant()
            ews = ([string]$cas.EwsEnabled).ToLowerInvariant()
            imap = ([string]$cas.ImapEnabled).ToLowerInvariant()
            mapi = ([string]$cas.MAPIEnabled).ToLowerInvariant()
            owa = ([string]$cas.OWAEnabled).ToLowerInvariant()
            pop = ([string]$cas.PopEnabled).ToLowerInvariant()
        }
        $state.logins = @{ ways = $ways; marker = [string]$Mailbox.ClosingAttribute }
    }
    return $state
}

# Is this script about who may log in?
$logins = (($Step -eq 'close') -or ($Step -eq 'open'))

# Byte for byte.
function Test-State([hashtable]$Is, [hashtable]$Should) {
    if ($logins) {
        $now = $Is.logins
        foreach ($way in @('activesync', 'ews', 'imap', 'mapi', 'owa', 'pop')) {
            if (-not [string]::Equals($now.ways[$way], $Should.Ways[$way])) {
                return $false
            }
        }
        return [string]::Equals($now.marker, $Should.Marker)
    }
    if ($Is.keeps -ne $Should.Keeps) {
        return $false
    }
    if (-not [string]::Equals($Is.smtp, $Should.Smtp)) {
        return $false
    }
    if (-not [string]::Equals($Is.recipient, $Should.Recipient)) {
        return $false
    }
    return [string]::Equals($Is.marker, $Should.Marker)
}

# Who may log in: what was there before is kept at the mailbox before anything is closed, and until all is open.
function Set-Logins([string]$Guid, [hashtable]$To) {
    $ways = $To.Ways
    $ews = $null
    if ($ways.ews -ne '') {
        $ews = ($ways.ews -eq 'true')
    }
    if ($To.Marker -ne '') {
        Set-Mailbox -Identity $Guid -ClosingAttribute $To.Marker -Confirm:$false -ErrorAction Stop
    }
    Set-CASMailbox -Identity $Guid -ActiveSyncEnabled ($ways.activesync -eq 'true') -EwsEnabled $ews -ImapEnabled ($ways.imap -eq 'true') -MAPIEnabled ($ways.mapi -eq 'true') -OWAEnabled ($ways.owa -eq 'true') -PopEnabled ($ways.pop -eq 'true') -Confirm:$false -ErrorAction Stop
    if ($To.Marker -eq '') {
        Set-Mailbox -Identity $Guid -ClosingAttribute $null -Confirm:$false -ErrorAction Stop
    }
}

# All of it in one change of the mailbox.
function Set-State([string]$Guid, [hashtable]$To) {
    $smtp = $null
    $recipient = $null
    $marker = $null
    if ($To.Smtp -ne '') {
        $smtp = $To.Smtp
    }
    if ($To.Recipient -ne '') {
        $recipient = $To.Recipient
    }
    if ($To.Marker -ne '') {
        $marker = $To.Marker
    }
    Set-Mailbox -Identity $Guid -ForwardingSmtpAddress $smtp -ForwardingAddress $recipient -DeliverToMailboxAndForward $To.Keeps -MarkerAttribute $marker -Confirm:$false -ErrorAction Stop
}

# Reads a mailbox with its rules that send mail on, and says what became of it.
function Write-Person([hashtable]$Person, [string]$Outcome, [string]$Why) {
    $line = @{ whimbrel = 'mailbox'; account = $Person.Account; outcome = $Outcome; why = $Why; at = (Get-Moment) }
    try {
        $mailbox = Find-Mailbox $Person
        $line.state = Get-State $mailbox
        $addresses = @()
        foreach ($address in $mailbox.EmailAddresses) {
            $addresses += [string]$address
        }
        $line.addresses = $addresses
        try {
            $rules = @()
            foreach ($rule in @(Get-InboxRule -Mailbox ([string]$mailbox.Guid) -ErrorAction Stop)) {
                $to = @()
                foreach ($address in @($rule.ForwardTo) + @($rule.RedirectTo) + @($rule.ForwardAsAttachmentTo)) {
                    if ($null -ne $address) {
                        $to += [string]$address
                    }
                }
                if ($to.Count -gt 0) {
                    $rules += @{ name = [string]$rule.Name; enabled = [bool]$rule.Enabled; deletes = [bool]$rule.DeleteMessage; to = $to }
                }
            }
            $line.rules = $rules
        } catch {
            $line.rules_unread = [string]$_.Exception.Message
        }
    } catch {
        $line.Remove('state')
        $line.failed = [string]$_.Exception.Message
        $line.missing = (([string]$_.FullyQualifiedErrorId) -like '*ManagementObjectNotFound*')
    }
    Write-Line $line
}

$mode = 'do'
if ($ReadOnly -or ($Step -eq 'read')) {
    $mode = 'read'
} elseif ($Reverse) {
    $mode = 'reverse'
}

if (($mode -eq 'reverse') -and ($Step -eq 'open')) {
    throw 'nobody is shut out again by this script: nothing was done'
}
if ([string]::IsNullOrEmpty($PSCommandPath)) {
    throw 'run it as a file: nothing was done'
}

# Is this the organisation?
$here = [string](Get-OrganizationConfig -ErrorAction Stop).Name
if (-not [string]::Equals($here, $Organisation)) {
    throw "this is the organisation '$here', and the script is for '$Organisation': nothing was done"
}
$accepted = @()
foreach ($domain in @(Get-AcceptedDomain -ErrorAction Stop)) {
    $accepted += [string]$domain.DomainName
}
foreach ($domain in $Domains) {
    if ($accepted -notcontains $domain) {
        throw "this organisation does not take mail for '$domain': nothing was done"
    }
}

# Does it let mail that is sent on leave?
if (($mode -eq 'do') -and ($Step -eq 'redirect')) {
    foreach ($domain in $TargetDomains) {
        $all = $true
        $one = $null
        foreach ($remote in @(Get-RemoteDomain -ErrorAction Stop)) {
            if (([string]$remote.DomainName) -eq '*') {
                $all = [bool]$remote.AutoForwardEnabled
            } elseif (([string]$remote.DomainName) -eq $domain) {
                $one = [bool]$remote.AutoForwardEnabled
            }
        }
        if (($one -eq $false) -or (($null -eq $one) -and (-not $all))) {
            throw "mail to '$domain' may not be sent on (Get-RemoteDomain, AutoForwardEnabled): nothing was done"
        }
    }
    if ($Platform -eq 'exchange-online') {
        $may = $false
        foreach ($policy in @(Get-HostedOutboundSpamFilterPolicy -ErrorAction Stop)) {
            if (([string]$policy.AutoForwardingMode) -eq 'On') {
                $may = $true
            }
        }
        if (-not $may) {
            throw 'no outbound spam policy lets mail be sent on (AutoForwardingMode): nothing was done'
        }
    }
}

# Its action is run once, and in time.
$mark = $PSCommandPath + '.run'
if ($mode -eq 'do') {
    if (Test-Path -LiteralPath $mark) {
        throw "the action of this script was run before, as '$mark' says: use -ReadOnly"
    }
    if ([string]::CompareOrdinal((Get-Moment), $NotAfter) -gt 0) {
        throw "it is too late to run this script: have another one written"
    }
}
if ($mode -ne 'read') {
    Set-Content -LiteralPath $mark -Value (Get-Moment)
}

$digest = (Get-FileHash -LiteralPath $PSCommandPath -Algorithm SHA256).Hash.ToLowerInvariant()
Write-Line @{ whimbrel = 'begin'; script = $Number; digest = $digest; mode = $mode; acted = (Test-Path -LiteralPath $mark); organisation = $here; at = (Get-Moment) }

$outcomes = @{}
$reasons = @{}
$stopped = $false
foreach ($person in $People) {
    $outcome = 'read'
    $why = ''
    if (($mode -ne 'read') -and $stopped) {
        $outcome = 'not-tried'
    } elseif (($mode -eq 'do') -and ([string]::CompareOrdinal((Get-Moment), $NotAfter) -gt 0)) {
        $outcome = 'not-tried'
        $why = 'it is too late'
        $stopped = $true
    } elseif ($mode -ne 'read') {
        try {
            $from = $person.Before
            $to = $person.After
            if ($mode -eq 'reverse') {
                $from = $person.After
                $to = $person.Before
            }
            $is = Get-State (Find-Mailbox $person)
            if (-not [string]::Equals($is.guid, $person.Guid)) {
                $outcome = 'left'
                $why = 'another mailbox has the name now'
            } elseif (Test-State $is $to) {
                $outcome = 'already'
            } elseif (-not (Test-State $is $from)) {
                $outcome = 'left'
                $why = 'it is not as expected'
            } else {
                if ($logins) {
                    Set-Logins $person.Guid $to
                } else {
                    Set-State $person.Guid $to
                }
                $outcome = 'changed'
            }
        } catch {
            $why = [string]$_.Exception.Message
            $is_missing = ([string]$_.FullyQualifiedErrorId) -like '*ManagementObjectNotFound*'
            # One mailbox that is not there, or is another's, is no reason to leave all others.
            if ($is_missing -or ($why -like '*mailboxes have this name*') -or ($why -eq 'the mailbox of this name does not have the address')) {
                $outcome = 'left'
            } else {
                $outcome = 'failed'
                $stopped = $true
            }
        }
    }
    $outcomes[$person.Account] = $outcome
    $reasons[$person.Account] = $why
}

foreach ($person in $People) {
    Write-Person $person ($outcomes[$person.Account]) ($reasons[$person.Account])
}
Write-Line @{ whimbrel = 'end'; mailboxes = $People.Count; at = (Get-Moment) }
